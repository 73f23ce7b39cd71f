# S0 "Models & protocols": one key, three protocols; the live catalog; the quick integration checklist.
. "$(dirname "$0")/steps.sh"
export OPENAI_API_KEY=sk-stub ANTHROPIC_API_KEY=sk-ant-stub GEMINI_API_KEY=AIza-stub DEEPSEEK_API_KEY=sk-deepseek-stub
export OPENAI_API_BASE_URL="$UPSTREAM/v1" ANTHROPIC_API_BASE_URL="$UPSTREAM" GEMINI_API_BASE_URL="$UPSTREAM"
export DEEPSEEK_API_BASE_URL="$UPSTREAM/v1"
export GATEWAY_CATALOG_CACHE_SECONDS=60 GATEWAY_MASTER_KEY=master-of-the-seed
start serve

# "POST /v1/chat/completions with the model ID in the model field": all models.
chat() {
  ask 200 "$GW/v1/chat/completions" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
    -d "{\"model\": \"$1\", \"max_tokens\": 50, \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}" && told '"chat.completion"'
}
# "Change only the model name when switching LLMs."
for model in gpt-5 claude-opus-4-7 gemini-2.5-pro deepseek-chat; do
  step "openai protocol: $model" chat $model
done

# "Claude: POST /v1/messages"
messages() {
  ask 200 "$GW/v1/messages" -H "$1" -H 'anthropic-version: 2023-06-01' -H 'Content-Type: application/json' \
    -d '{"model": "claude-opus-4-7", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}' && told '"type":"message"'
}
# "Set Authorization: Bearer YOUR_API_KEY (or the header your SDK expects)"
step 'anthropic protocol: bearer' messages "Authorization: Bearer $KEY"
step 'anthropic protocol: x-api-key' messages "x-api-key: $KEY"

# "Gemini: POST /v1beta/models/{model}:generateContent"
gemini() {
  ask 200 "$GW/v1beta/models/gemini-2.5-pro:generateContent" -H "$1" -H 'Content-Type: application/json' \
    -d '{"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}' && told '"candidates"'
}
step 'gemini protocol: bearer' gemini "Authorization: Bearer $KEY"
step 'gemini protocol: x-goog-api-key' gemini "x-goog-api-key: $KEY"

# "GET {GATEWAY_URL}/catalog/models — a public, unauthenticated discovery API"
catalog() { ask 200 "$GW/catalog/models" && told '"recommended_protocol":"anthropic"' && told '"recommended_protocol":"gemini"'; }
step 'catalog: no key is needed' catalog
filtered() { ask 200 "$GW/catalog/models?route_groups=default" && told '"gpt-5"' && ask 200 "$GW/catalog/models?route_groups=nosuch" && untold '"gpt-5"'; }
step 'catalog: filter of route groups' filtered

# "Sign up and top up credits. Create an API key."
checklist() {
  GATEWAY_URL=$GW "$TRIVIUM" accounts create reader@example.com --credit 10 &&
    KEY=$(GATEWAY_URL=$GW "$TRIVIUM" keys create laptop --account reader@example.com --json | sed -n 's/.*"key": *"\([^"]*\)".*/\1/p') &&
    chat gpt-5 &&
    ask 200 "$GW/api/v1/key" -H "Authorization: Bearer $KEY"
}
step 'checklist: account, credit, key, call' checklist

# "If the list is empty, verify GATEWAY_URL"
doctor() { GATEWAY_URL=$GW "$TRIVIUM" doctor --json | grep -q '"status": "ok"'; }
step 'doctor looks at the catalog' doctor
