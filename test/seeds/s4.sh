# S4 "API Overview": three protocols under their base URLs, capabilities, parameters, request ids.
. "$(dirname "$0")/steps.sh"
export OPENAI_API_KEY=sk-stub ANTHROPIC_API_KEY=sk-ant-stub GEMINI_API_KEY=AIza-stub GATEWAY_MASTER_KEY=master-of-the-seed
export OPENAI_API_BASE_URL="$UPSTREAM/v1" ANTHROPIC_API_BASE_URL="$UPSTREAM" GEMINI_API_BASE_URL="$UPSTREAM"
start serve
bearer="Authorization: Bearer $KEY"
json='Content-Type: application/json'
post() {
  path=$1
  body=$2
  shift 2
  ask 200 "$GW$path" -H "$bearer" -H "$json" -d "$body" "$@"
}
hello='"messages": [{"role": "user", "content": "Hello"}]'

chat() { post /v1/chat/completions "{\"model\": \"gpt-5\", $hello}" && told '"chat.completion"'; }
step '/v1/chat/completions' chat
responses() { post /v1/responses '{"model": "gpt-5", "input": "Hello"}' && told '"object":"response"'; }
step '/v1/responses' responses
embeddings() { post /v1/embeddings '{"model": "text-embedding-3-large", "input": "Hello"}' && told '"embedding"'; }
step '/v1/embeddings' embeddings
messages() { post "$1" "{\"model\": \"claude-opus-4-7\", \"max_tokens\": 50, $hello}" && told '"type":"message"'; }
step '/v1/messages' messages /v1/messages
step 'base URL /v1 with a library that adds /v1/messages' messages /v1/v1/messages
gemini() { post "$1/models/gemini-2.5-pro:generateContent" '{"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}' && told '"candidates"'; }
step '/v1beta' gemini /v1beta
step 'base URL /v1beta with a library that adds /v1beta' gemini /v1beta/v1beta

stream() { post /v1/chat/completions "{\"model\": \"gpt-5\", \"stream\": true, $hello}" && told 'data: [DONE]'; }
step 'streaming' stream
tools() {
  post /v1/chat/completions "{\"model\": \"gpt-5\", $hello, \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": {\"type\": \"object\"}}}]}" &&
    sent '"tools":'
}
step 'tool calling' tools
schema() {
  post /v1/chat/completions "{\"model\": \"gpt-5\", $hello, \"response_format\": {\"type\": \"json_object\"}}" && sent '"json_object"'
}
step 'structured outputs' schema
vision() {
  post /v1/chat/completions '{"model": "gpt-5", "messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}]}' &&
    sent '"image_url"'
}
step 'vision' vision
# "Optional scalar parameters explicitly passed as 0 or false should be treated as explicit values"
zero() { post /v1/chat/completions "{\"model\": \"gpt-4o\", $hello, \"temperature\": 0, \"logprobs\": false}" && sent '"temperature":0' && sent '"logprobs":false'; }
step 'explicit 0 and false' zero
# "Record request ID, model ID, status code, latency, and token usage"
recorded() {
  post /v1/chat/completions "{\"model\": \"gpt-5\", $hello}" -D "$FOLDER/headers" &&
    request=$(sed -n 's/^x-request-id: *//Ip' "$FOLDER/headers" | tr -d '\r') && [ -n "$request" ] &&
    ask 200 "$GW/api/logs/$request" -H "Authorization: Bearer $GATEWAY_MASTER_KEY" && told '"status_code":200' && told '"latency_ms"'
}
step 'request id, status, latency and usage are on record' recorded
# "Use different Tokens for different business systems"
tokens() {
  GATEWAY_URL=$GW "$TRIVIUM" keys create crm --system crm --limit 5 --json | grep -q '"key"' &&
    GATEWAY_URL=$GW "$TRIVIUM" keys list --json | grep -q '"crm"'
}
step 'a token per business system' tokens
