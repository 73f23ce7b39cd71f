/** Where a word begins, in JSON also behind an escape: `\nsk-` is no word of its own to a `\b`. */
const BEGIN = String.raw`(?:(?<!\w)|(?<=\\[nrtbf])|(?<=\\u[\da-fA-F]{4}))`

/**
 * Secrets as they look in any text: keys of providers and of ours, values behind `Bearer`. What stands in brackets is shown. Short
 * words are none: a key has sixteen characters and more, and a bearer value a digit.
 */
const SECRETS: readonly RegExp[] = [
  String.raw`(sk-(?:ant-|or-|tv-|proj-)?[\w-]{2})[\w-]{12,}`,
  String.raw`(tmk-)[\w-]{12,}`,
  String.raw`(AIza[\w-]{2})[\w-]{12,}`,
  String.raw`([Bb][Ee][Aa][Rr][Ee][Rr]\s{1,4})(?=[\w.~+/=-]{0,512}\d)[\w.~+/=-]{12,}`,
].map((secret) => new RegExp(BEGIN + secret, 'g'))

/** A text in which every secret is cut to its first characters and `****` (R20 d). Linear in its length. */
export function redactSecrets(text: string): string {
  let redacted = text
  for (const secret of SECRETS) redacted = redacted.replace(secret, '$1****')
  return redacted
}
