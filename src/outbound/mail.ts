/** A mail to one person. */
export interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** Delivers a mail or throws. */
export type SendMail = (mail: Mail) => Promise<void>

/** In place of an SMTP URL: mails are shown where the gateway runs, for a machine without a mail server. */
export const CONSOLE_MAIL = 'console'

/** How long a mail server may take. */
const MAIL_TIMEOUT_MS = 15_000

/** Delivers by a mail server, or shows on standard output. Null where no mail is wanted. */
export function createMailer(
  smtpUrl: string | null,
  from: string,
  show: (text: string) => void = (text) => void process.stdout.write(text),
): SendMail | null {
  if (smtpUrl === null) return null
  if (smtpUrl === CONSOLE_MAIL) {
    return async ({ to, subject, text }) => show(`\n--- mail to ${to}: ${subject}\n${text}\n---\n`)
  }
  let transport: ReturnType<(typeof import('nodemailer'))['createTransport']> | undefined
  return async (mail) => {
    // Loaded with the first mail.
    const { createTransport } = await import('nodemailer')
    const bounds = {
      connectionTimeout: MAIL_TIMEOUT_MS,
      greetingTimeout: MAIL_TIMEOUT_MS,
      socketTimeout: MAIL_TIMEOUT_MS,
    }
    transport ??= createTransport({ url: smtpUrl, ...bounds })
    await transport.sendMail({ from, ...mail })
  }
}
