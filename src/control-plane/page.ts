import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { GatewayError } from '#base/errors.ts'
import type { Answer, Call } from './call.ts'
import { baseUrls } from './origin.ts'

/** The page and its parts are our own static files; nothing is loaded from anywhere else (R20). */
const ASSETS = {
  'theme.css': 'text/css; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'favicon.svg': 'image/svg+xml',
} as const

type AssetName = keyof typeof ASSETS

interface Asset {
  readonly type: string
  readonly bytes: Buffer
  readonly digest: string
}

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
} as const

const YEAR_SECONDS = 31_536_000
const DIGEST_LENGTH = 16

let index: string | undefined
const assets = new Map<AssetName, Asset>()

/** The page for a gateway at `root`; the three base URLs are in the text itself, so that it reads without scripts. */
export function renderIndex({ root, version }: { root: string; version: string }): {
  headers: Record<string, string>
  body: string
} {
  index ??= readFileSync(new URL('./page/index.html', import.meta.url), 'utf8')
  const urls = baseUrls(root)
  const values: Record<string, string> = {
    root,
    openai: urls.openai,
    anthropic: urls.anthropic,
    gemini: urls.gemini,
    openrouter: urls.openrouter,
    version,
    theme: assetUrl('theme.css'),
    css: assetUrl('page.css'),
    js: assetUrl('page.js'),
    icon: assetUrl('favicon.svg'),
  }
  const body = index.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => escapeHtml(values[name] ?? ''))
  return { headers: { ...SECURITY_HEADERS, 'content-type': 'text/html; charset=utf-8' }, body }
}

/** `GET /assets/{name}`: kept for good under the address that names its digest, asked about again under any other. */
export function readAsset(call: Call): Answer {
  const name = call.params['name'] as AssetName
  if (!Object.hasOwn(ASSETS, name)) throw new GatewayError('not_found', 'There is no such file.')
  const asset = load(name)
  const etag = `"${asset.digest}"`
  const headers = {
    ...SECURITY_HEADERS,
    etag,
    'cache-control': call.query['v'] === asset.digest ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache',
  }
  if (call.headers['if-none-match'] === etag) return { status: 304, headers, body: undefined }
  return { headers: { ...headers, 'content-type': asset.type }, body: asset.bytes }
}

function load(name: AssetName): Asset {
  const known = assets.get(name)
  if (known) return known
  const bytes = readFileSync(new URL(`./page/${name}`, import.meta.url))
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_LENGTH)
  const asset = { type: ASSETS[name], bytes, digest }
  assets.set(name, asset)
  return asset
}

const assetUrl = (name: AssetName): string => `/assets/${name}?v=${load(name).digest}`

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character]!)
