import { usdNumber, usdNumberOrNull } from '#base/exact-json.ts'
import { GatewayError } from '#base/errors.ts'
import type { RequestRow } from '#observe/request-row.ts'
import type { Answer, Call, KeyActor, MasterActor } from './call.ts'
import { promptTokens } from './log-object.ts'
import { ownRow } from './logs.ts'
import { seesBackends } from './reader.ts'
import { receiptObject } from './receipt-object.ts'

/** `GET /api/v1/generation?id=` by request id or response id, for every outcome (R100, openrouter-api.md section 3). */
export async function readGeneration(call: Call<KeyActor | MasterActor>): Promise<Answer> {
  const id = call.query['id']
  if (!id) throw new GatewayError('invalid_parameter', "The query parameter 'id' is required.", { param: 'id' })
  const row = await ownRow(call, id)
  const view = { showBackends: seesBackends(call), billingOff: call.deps.settings.billingMode === 'off' }
  const receipt = receiptObject(row, await call.deps.receipts.of(row))
  return { body: { data: { ...generationObject(row, view), receipt } } }
}

interface View {
  readonly showBackends: boolean
  readonly billingOff: boolean
}

/** The 42 keys of OpenRouter's generation, in its order, then our additions. */
export function generationObject(row: RequestRow, { showBackends, billingOff }: View): Record<string, unknown> {
  const cost = (billingOff ? row.list_cost_nano : row.charged_cost_nano) ?? 0n
  return {
    id: row.response_id ?? row.request_id,
    upstream_id: showBackends ? row.upstream_request_id : null,
    total_cost: usdNumber(cost),
    cache_discount: null,
    upstream_inference_cost: usdNumberOrNull(row.metered_cost_nano),
    created_at: new Date(row.ts_start_ms).toISOString(),
    model: row.model_id ?? row.requested_model ?? '',
    app_id: null,
    streamed: row.stream,
    cancelled: row.status === 'client_cancelled',
    provider_name: showBackends ? row.backend_id : row.vendor,
    latency: row.latency_ms,
    moderation_latency: null,
    generation_time: row.gen_ms,
    finish_reason: row.finish_reason,
    service_tier: null,
    ...tokenFields(row),
    num_media_prompt: null,
    num_input_audio_prompt: null,
    num_media_completion: null,
    num_search_results: null,
    num_fetches: null,
    web_search_engine: null,
    origin: row.app_referer ?? '',
    usage: usdNumber(cost),
    is_byok: false,
    native_finish_reason: row.finish_reason,
    external_user: null,
    api_type: apiType(row.protocol),
    preset_id: null,
    router: null,
    provider_responses: showBackends ? row.attempts.map(providerResponse) : null,
    user_agent: row.user_agent,
    http_referer: row.app_referer,
    data_region: 'global',
    workspace_id: row.account_id,
    request_id: row.request_id,
    warnings: row.warnings,
    warnings_more: row.warnings_more,
  }
}

function tokenFields(row: RequestRow): Record<string, number | null> {
  const prompt = promptTokens(row)
  return {
    tokens_prompt: prompt,
    tokens_completion: row.tokens_output,
    native_tokens_prompt: prompt,
    native_tokens_completion: row.tokens_output,
    native_tokens_completion_images: null,
    native_tokens_reasoning: row.tokens_reasoning,
    native_tokens_cached: row.tokens_cache_read,
  }
}

function providerResponse(attempt: RequestRow['attempts'][number]): Record<string, unknown> {
  return { provider_name: attempt.backend, status: attempt.status, latency: attempt.latency_ms }
}

function apiType(protocol: string): string {
  if (protocol.includes('embedding')) return 'embeddings'
  if (protocol.includes('responses')) return 'responses'
  if (protocol.includes('anthropic') || protocol.includes('messages')) return 'messages'
  return 'completions'
}
