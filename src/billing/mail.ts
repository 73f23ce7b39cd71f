import type { SendMail } from './alert-delivery.ts'

const SMTP_MS_MAX = 15_000

/** Sends through a mail server, loaded at the first mail; without one (null) mails go to `print`, for a first try. */
export function createMailer(smtpUrl: string | null, print: (mail: { to: string; subject: string }) => void): SendMail {
  if (smtpUrl === null) return async ({ to, subject }) => print({ to, subject })
  return async ({ to, subject, text }) => {
    const { createTransport } = await import('nodemailer')
    const { hostname, username } = new URL(smtpUrl)
    const from = username.includes('%40') ? decodeURIComponent(username) : `trivium@${hostname}`
    const times = { connectionTimeout: SMTP_MS_MAX, greetingTimeout: SMTP_MS_MAX, socketTimeout: SMTP_MS_MAX }
    const transport = createTransport(smtpUrl, { from, ...times })
    try {
      await transport.sendMail({ from, to, subject, text })
    } finally {
      transport.close()
    }
  }
}
