/**
 * Steps of the seeds that cannot pass yet, `script: step` with the reason. The test prints them, and fails when one of them
 * passes, so that none stays here longer than it has to.
 */
export const PENDING: Readonly<Record<string, string>> = {}
