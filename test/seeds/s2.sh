# S2 "Model identifiers & vendor prefixes": canonical ids on every surface, vendor prefixes, -thinking, the model list.
. "$(dirname "$0")/steps.sh"
export OPENAI_API_KEY=sk-stub ANTHROPIC_API_KEY=sk-ant-stub GEMINI_API_KEY=AIza-stub
export OPENAI_API_BASE_URL="$UPSTREAM/v1" ANTHROPIC_API_BASE_URL="$UPSTREAM" GEMINI_API_BASE_URL="$UPSTREAM"
start serve

bearer="Authorization: Bearer $KEY"
json='Content-Type: application/json'
chat() {
  ask 200 "$GW/v1/chat/completions" -H "$bearer" -H "$json" \
    -d "{\"model\": \"$1\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}" && told '"chat.completion"'
}
messages() {
  ask 200 "$GW/v1/messages" -H "$bearer" -H "$json" \
    -d "{\"model\": \"$1\", \"max_tokens\": 50, \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}" && told '"type":"message"'
}
gemini() {
  ask 200 "$GW/v1beta/models/$1:generateContent" -H "$bearer" -H "$json" \
    -d '{"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}' && told '"candidates"'
}
for model in gpt-5 gpt-5-mini o3 claude-opus-4-7 claude-sonnet-4-7 gemini-3-flash-preview gemini-2.5-pro; do
  step "canonical id, openai: $model" chat $model
  step "canonical id, anthropic: $model" messages $model
  step "canonical id, gemini: $model" gemini $model
done
embed() {
  ask 200 "$GW/v1/embeddings" -H "$bearer" -H "$json" -d '{"model": "text-embedding-3-large", "input": "Hello"}' && told '"embedding"'
}
step 'canonical id: text-embedding-3-large' embed

# curl https://portal.torouter.ai/v1/models -H "Authorization: Bearer sk-***"
models() {
  ask 200 "$GW/v1/models" -H "Authorization: Bearer $KEY" && told '"gpt-5"' && told '"claude-opus-4-7"' && told '"text-embedding-3-large"'
}
step 'model list of the key' models

thinking() { chat "$1-thinking" && sent "\"model\":\"$1\"" && sent "$2"; }
step 'thinking: claude-opus-4-7' thinking claude-opus-4-7 '"thinking"'
step 'thinking: gpt-5' thinking gpt-5 '"reasoning_effort":"high"'

# "When your group is bound to an OpenRouter account"
unset OPENAI_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY
export OPENROUTER_API_KEY=sk-or-stub OPENROUTER_API_BASE_URL="$UPSTREAM/api/v1"
start serve --disable-auth
vendor() { chat "$1" && sent "\"model\":\"$1\""; }
for model in anthropic/claude-opus-4-7 google/gemini-2.5-pro openai/gpt-5 deepseek/deepseek-r1; do
  step "vendor prefix: $model" vendor $model
done
