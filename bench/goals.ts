/** What the bench must reach, as data. `limit` decides the exit code; `aim` is what R123 and the B-rows ask in the end. */

export type Figure =
  | 'cpuRatio'
  | 'addedP50Ms'
  | 'addedP99Ms'
  | 'addedFirstByteP50Ms'
  | 'addedFirstByteP99Ms'
  | 'addedGapP99Ms'
  | 'cpuUsGateway'
  | 'rssMbGateway'
  | 'textEventUs'
  | 'argumentsEventUs'
  | 'smallRequestUs'
  | 'agentRequestUs'
  | 'textEventRoundTrips'
  | 'argumentsEventRoundTrips'
  | 'smallRequestRoundTrips'
  | 'agentRequestRoundTrips'
  | 'dearestTextEvent'
  | 'dearestArgumentsEvent'
  | 'translatedRatio'

export interface Goal {
  readonly part: string
  readonly point: string
  readonly figure: Figure
  readonly limit?: number
  readonly aim: number
  readonly source: string
}

export const FIGURE_UNITS: Readonly<Record<Figure, string>> = {
  cpuRatio: 'x',
  addedP50Ms: 'ms',
  addedP99Ms: 'ms',
  addedFirstByteP50Ms: 'ms',
  addedFirstByteP99Ms: 'ms',
  addedGapP99Ms: 'ms',
  cpuUsGateway: 'us',
  rssMbGateway: 'MB',
  textEventUs: 'us',
  argumentsEventUs: 'us',
  smallRequestUs: 'us',
  agentRequestUs: 'us',
  textEventRoundTrips: 'x',
  argumentsEventRoundTrips: 'x',
  smallRequestRoundTrips: 'x',
  agentRequestRoundTrips: 'x',
  dearestTextEvent: 'x',
  dearestArgumentsEvent: 'x',
  translatedRatio: 'x',
}

/** Reached so far: `limit` is the bound of the current stage, without one a figure is only reported beside its aim. */
export const GOALS: readonly Goal[] = [
  { part: 'B-1', point: 'both', figure: 'cpuRatio', limit: 2.5, aim: 2, source: 'R123 (1)' },
  { part: 'B-1', point: 'c=32', figure: 'cpuRatio', aim: 2, source: 'R123 (1)' },
  { part: 'B-1', point: 'c=32', figure: 'cpuUsGateway', aim: 70, source: 'B-1' },
  { part: 'B-3', point: '500/s', figure: 'addedP50Ms', aim: 0.3, source: 'B-3' },
  { part: 'B-3', point: '500/s', figure: 'addedP99Ms', aim: 2, source: 'B-3' },
  { part: 'B-3', point: 'half', figure: 'addedP50Ms', aim: 0.5, source: 'R123 (3)' },
  { part: 'B-3', point: 'half', figure: 'addedP99Ms', aim: 3, source: 'R123 (3)' },
  { part: 'B-5', point: 'same', figure: 'cpuRatio', limit: 1.5, aim: 1.3, source: 'R123 (2)' },
  { part: 'B-5', point: 'same', figure: 'addedFirstByteP50Ms', aim: 3, source: 'B-5' },
  { part: 'B-5', point: 'same', figure: 'addedFirstByteP99Ms', aim: 15, source: 'B-5' },
  { part: 'B-5', point: 'same', figure: 'addedGapP99Ms', aim: 10, source: 'B-5' },
  { part: 'B-5', point: 'renamed', figure: 'cpuRatio', limit: 1.8, aim: 1.3, source: 'R123 (2)' },
  { part: 'B-5', point: 'translated', figure: 'cpuRatio', limit: 1.8, aim: 1.5, source: 'B-10' },
  { part: 'B-8', point: 'idle', figure: 'rssMbGateway', aim: 600, source: 'R123 (4)' },
  { part: 'B-9', point: '400 KB', figure: 'cpuUsGateway', aim: 700, source: 'B-9' },
  { part: 'B-9', point: '400 KB', figure: 'cpuRatio', limit: 2, aim: 1.6, source: 'B-9: 700 over 452 us' },
  // The dearest pair of protocols beside the median of all; how much translating an event costs beside passing it through.
  { part: 'B-10', point: 'all', figure: 'dearestTextEvent', limit: 4, aim: 2, source: 'B-10' },
  { part: 'B-10', point: 'all', figure: 'dearestArgumentsEvent', limit: 4, aim: 2, source: 'B-10' },
  { part: 'B-10', point: 'all', figure: 'translatedRatio', aim: 2, source: 'B-10' },
]
