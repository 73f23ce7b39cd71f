# S3 "OpenRouter": any OpenAI client, provider/model-name, the catalog with prices, spending, backup models.
. "$(dirname "$0")/steps.sh"
export OPENROUTER_API_KEY=sk-or-stub OPENROUTER_API_BASE_URL="$UPSTREAM/api/v1" GATEWAY_MASTER_KEY=master-of-the-seed
start serve
bearer="Authorization: Bearer $KEY"
json='Content-Type: application/json'

# "Base URL: https://openrouter.ai/api/v1 … just swap the base URL"
chat() {
  ask 200 "$GW$1/chat/completions" -H "$bearer" -H "$json" \
    -d '{"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}' && told '"chat.completion"' &&
    sent '"model":"openai/gpt-4o"'
}
step 'base URL /api/v1' chat /api/v1
step 'base URL /v1' chat /v1
# "use any OpenAI SDK with custom base_url"
sdk() {
  (cd "$ROOT" && BASE="$GW/api/v1" KEY="$KEY" "$NODE" --input-type=module -e '
    import OpenAI from "openai"
    const client = new OpenAI({ baseURL: process.env.BASE, apiKey: process.env.KEY })
    const messages = [{ role: "user", content: "Hello" }]
    const told = await client.chat.completions.create({ model: "openai/gpt-4o", messages })
    if (!told.choices[0].message.content) process.exit(1)')
}
step 'the OpenAI library with another base URL' sdk
many() {
  ask 200 "$GW/api/v1/models" -H "$bearer" &&
    [ "$(grep -o '"pricing":' "$answer" | wc -l)" -ge 100 ]
}
step 'more than 100 models with prices' many
# "Pay-per-use … usage analytics"
spent() {
  ask 200 "$GW/api/v1/key" -H "$bearer" && told '"usage":' && ask 200 "$GW/api/v1/credits" -H "Authorization: Bearer $GATEWAY_MASTER_KEY" && told '"total_usage"'
}
step 'what was spent' spent
# "Automatic fallback to backup models when primary is down"
fallback() {
  curl -sS -X POST "$SEEN/fail?model=openai/gpt-4o" >/dev/null
  ask 200 "$GW/api/v1/chat/completions" -H "$bearer" -H "$json" \
    -d '{"model": "openai/gpt-4o", "models": ["anthropic/claude-3.5-haiku"], "messages": [{"role": "user", "content": "Hello"}]}' &&
    told 'claude-3.5-haiku'
}
step 'backup model' fallback
