import type { RunningGateway } from '#main'
import { banner } from './banner.ts'
import type { Run } from './program.ts'
import { readVersion } from '#base/version.ts'

/** Runs the gateway until SIGINT or SIGTERM, then lets what is under way finish. A second signal ends it at once. */
export async function serve(run: Run, plane?: 'gateway' | 'portal'): Promise<number> {
  const { startGateway } = await import('#main')
  const stop = stopSignal()
  const gateway: RunningGateway = await startGateway({
    flags: run.flags,
    env: run.env,
    cwd: run.cwd,
    ...(plane && { plane }),
  })
  run.out(banner(gateway, { version: readVersion(), exampleModel: await firstModel(gateway.url) }))
  await stop
  await gateway.close()
  return 0
}

/** Exit code of a shell for a process that SIGINT ended. */
const EXIT_INTERRUPTED = 130

function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked = false
  const ask = (): void => {
    if (asked) process.exit(EXIT_INTERRUPTED)
    asked = true
    resolve()
  }
  process.on('SIGINT', ask)
  process.on('SIGTERM', ask)
  return promise
}

interface Listed {
  readonly data: readonly { id: string; output_modalities?: readonly string[] }[]
}

/** A model for the ready-to-paste command; null when none can be called. */
async function firstModel(url: string): Promise<string | null> {
  try {
    const answer = await fetch(`${url}/catalog/models`)
    const { data } = (await answer.json()) as Listed
    const chat = data.find((item) => !item.output_modalities?.length || item.output_modalities.includes('text'))
    return (chat ?? data[0])?.id ?? null
  } catch {
    return null
  }
}
