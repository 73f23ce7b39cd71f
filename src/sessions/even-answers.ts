import { setTimeout as wait } from 'node:timers/promises'
import type { SendMail } from '#outbound/mail.ts'

/**
 * What these answer does not depend on whether an address is known, so neither may when they answer (S12): all that differs,
 * a row, a mail, is done within this time, which every answer takes. The long one hashes a password. (better-auth does the same
 * for mails of verification.)
 */
export const EVEN_ANSWER_MS: ReadonlyMap<string, number> = new Map([
  ['/api/auth/request-password-reset', 250],
  ['/api/auth/sign-up/email', 1000],
])

/** Begins to wait for the moment at which a path answers; resolves at once for all others. Call it before the work. */
export const evenAnswer = (path: string): Promise<void> => {
  const ms = EVEN_ANSWER_MS.get(path)
  return ms === undefined ? Promise.resolve() : wait(ms)
}

/** A mailer that nobody waits for: what a mail server takes its time for would tell that there was somebody to write to. */
export function inBackground(sendMail: SendMail, onFailure: (cause: unknown) => void): SendMail {
  return async (mail) => void sendMail(mail).catch(onFailure)
}
