# S1 "OpenRouter backend": every command and every block of the page, with the program's name in place of
# `python -m src.core.cli` and a free port in place of 8000.
. "$(dirname "$0")/steps.sh"
export OPENROUTER_API_KEY="sk-or-stub"
export OPENROUTER_API_BASE_URL="$UPSTREAM/api/v1"

# Start proxy with OpenRouter as default backend
start --default-backend openrouter
with_key() {
  ask 200 -X POST "$GW/v1/chat/completions" \
    -H "Content-Type: application/json" \
    -H "Authorization: Bearer $KEY" \
    -d '{
      "model": "anthropic/claude-3-5-sonnet",
      "messages": [
        {"role": "user", "content": "Hello!"}
      ]
    }' && sent '"model":"anthropic/claude-3-5-sonnet"' && sent '"authorization":"Bearer sk-or-stub"'
}
step 'first call with a proxy key' with_key

start --default-backend openrouter --disable-auth
plain() {
  ask 200 -X POST "$GW/v1/chat/completions" \
    -H "Content-Type: application/json" \
    -d "{
      \"model\": \"$1\",
      \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]
    }" && sent "\"model\":\"$1\""
}
for model in openai/gpt-4o anthropic/claude-3-opus meta-llama/llama-3-70b-instruct \
  openai/gpt-4-turbo openai/gpt-3.5-turbo anthropic/claude-3-5-sonnet anthropic/claude-3-haiku google/gemini-pro \
  google/gemini-pro-vision meta-llama/llama-3-8b-instruct mistralai/mistral-large mistralai/mistral-medium \
  qwen/qwen-2-72b-instruct qwen/qwen3-coder; do
  step "listed model: $model" plain $model
done

uri() {
  ask 200 -X POST "$GW/v1/chat/completions" \
    -H "Content-Type: application/json" \
    -d '{
      "model": "openrouter:anthropic/claude-3-5-sonnet?temperature=0.7",
      "messages": [{"role": "user", "content": "Write a story"}]
    }' && sent '"model":"anthropic/claude-3-5-sonnet"' && sent '"temperature":0.7'
}
step 'backend prefix and one URI parameter' uri
uris() {
  ask 200 -X POST "$GW/v1/chat/completions" \
    -H "Content-Type: application/json" \
    -d '{
      "model": "openrouter:anthropic/claude-3-5-sonnet?temperature=0.7&top_p=0.9",
      "messages": [{"role": "user", "content": "Hello"}]
    }' && sent '"model":"anthropic/claude-3-5-sonnet"' && sent '"temperature":0.7' && sent '"top_p":0.9'
}
step 'two URI parameters' uris
prefix() {
  ask 200 "$GW/v1/chat/completions" -H "Content-Type: application/json" \
    -d '{"model": "openrouter:anthropic/claude-3-5-sonnet", "messages": [{"role": "user", "content": "Hello"}]}' &&
    sent '"model":"anthropic/claude-3-5-sonnet"'
}
step 'backend prefix' prefix

# With specific model
start --default-backend openrouter --force-model anthropic/claude-3-5-sonnet --disable-auth
forced() {
  ask 200 "$GW/v1/chat/completions" -H "Content-Type: application/json" \
    -d '{"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}' &&
    sent '"model":"anthropic/claude-3-5-sonnet"'
}
step 'force-model' forced

# The four blocks of config.yaml
cat >"$FOLDER/config.yaml" <<'YAML'
backends:
  openrouter:
    type: openrouter
default_backend: openrouter
model_aliases:
  - pattern: "^gpt-(.*)"
    replacement: "openrouter:openai/gpt-\\1"
identity:
  user_agent:
    mode: override
    override_value: "MyApp/1.0.0"
YAML
step 'the blocks are a valid file' "$TRIVIUM" config check --config "$FOLDER/config.yaml"
start --config "$FOLDER/config.yaml" --disable-auth
identity() { plain openai/gpt-4o && sent '"user-agent":"MyApp/1.0.0"'; }
step 'identity override' identity
alias_() {
  ask 200 "$GW/v1/chat/completions" -H "Content-Type: application/json" \
    -d '{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}' && sent '"model":"openai/gpt-4o"'
}
step 'model alias' alias_
tomorrow() {
  ask 200 "$GW/v1/chat/completions" -H "Content-Type: application/json" \
    -d '{"model": "gpt-of-tomorrow", "messages": [{"role": "user", "content": "Hello"}]}' && sent '"model":"openai/gpt-of-tomorrow"'
}
step 'model alias, of an id that no catalog knows' tomorrow
default_() { plain qwen/qwen3-coder-of-tomorrow; }
step 'default backend takes ids that no catalog knows' default_
rm "$FOLDER/config.yaml"

# The same from the command line.
start --default-backend openrouter --model-alias '^gpt-(.*)=openrouter:openai/gpt-\1' --identity-user-agent TestClient/1.0 --disable-auth
flags() { plain openai/gpt-4o && sent '"user-agent":"TestClient/1.0"'; }
step 'identity by flag' flags
step 'model alias by flag' alias_
step 'model alias by flag, of an id that no catalog knows' tomorrow
