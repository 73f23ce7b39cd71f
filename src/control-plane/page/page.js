// The first page: copy buttons, the live catalog, and a command for the chosen model. It only reads public addresses;
// a key never reaches the browser (R20), so the command takes it from the environment.

const COPIED_SHOWN_MS = 1600
const VENDORS_SHOWN_MAX = 8
const REFRESH_MS = 60_000

const root = document.body.dataset.root
const byId = (id) => document.getElementById(id)
const model = byId('model')
let catalog = []

for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', () => copy(button))
}
model.addEventListener('change', () => {
  adviseProtocol()
  showCommand()
})
for (const radio of document.querySelectorAll('input[name="protocol"]')) radio.addEventListener('change', showCommand)
refresh()
setInterval(refresh, REFRESH_MS)

async function copy(button) {
  const source = byId(button.dataset.copy)
  const done = await writeClipboard(source)
  button.textContent = done ? 'Copied' : 'Selected'
  button.dataset.done = ''
  byId('announce').textContent = done ? 'Copied to the clipboard.' : 'Selected: press the copy shortcut.'
  setTimeout(() => {
    button.textContent = 'Copy'
    delete button.dataset.done
  }, COPIED_SHOWN_MS)
}

// Browsers offer the clipboard only to secure origins; elsewhere the text is selected, and copied where that is allowed.
async function writeClipboard(source) {
  try {
    await navigator.clipboard.writeText(source.textContent)
    return true
  } catch {
    getSelection().selectAllChildren(source)
    return document.execCommand('copy')
  }
}

async function refresh() {
  try {
    const answer = await fetch('/catalog/models', { headers: { accept: 'application/json' }, credentials: 'omit' })
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
    catalog = (await answer.json()).data
    showState('up', 'reachable')
  } catch {
    showState('down', 'not reachable')
    return
  }
  showCount()
  fillModels()
  showCommand()
}

function showState(state, text) {
  const element = byId('state')
  if (element.textContent === text) return
  element.dataset.state = state
  element.textContent = text
}

function showCount() {
  byId('count').textContent = String(catalog.length)
  byId('count-unit').textContent =
    catalog.length === 0
      ? 'models: no route is active. Run “trivium doctor” on the server.'
      : `${catalog.length === 1 ? 'model' : 'models'} can be called right now`
  const counts = new Map()
  for (const { vendor } of catalog) counts.set(vendor, (counts.get(vendor) ?? 0) + 1)
  const largest = [...counts].sort((left, right) => right[1] - left[1] || left[0].localeCompare(right[0]))
  const shown = largest.slice(0, VENDORS_SHOWN_MAX).map(([vendor, count]) => `${vendor} ${count}`)
  if (largest.length > shown.length) shown.push(`${largest.length - shown.length} more vendors`)
  byId('vendors').textContent = shown.join(' · ')
}

function fillModels() {
  const ids = catalog.map(({ id }) => id)
  const present = [...model.querySelectorAll('option')].map(({ value }) => value)
  if (ids.length === 0 || (ids.length === present.length && ids.every((id) => present.includes(id)))) return
  const chosen = model.value
  const groups = Map.groupBy(catalog, ({ vendor }) => vendor)
  model.replaceChildren(
    ...[...groups.keys()].sort().map((vendor) => {
      const group = document.createElement('optgroup')
      group.label = vendor
      group.append(
        ...groups
          .get(vendor)
          .map(({ id, display_name }) => new Option(display_name ? `${display_name}  (${id})` : id, id)),
      )
      return group
    }),
  )
  model.disabled = false
  if (ids.includes(chosen)) model.value = chosen
  else model.value = (catalog.find(isChat) ?? catalog[0]).id
  adviseProtocol()
}

const chosenModel = () => catalog.find(({ id }) => id === model.value)
const isChat = ({ output_modalities: modalities }) => !modalities?.length || modalities.includes('text')

// The catalog names the best native fit of each model; the reader may still pick another.
function adviseProtocol() {
  const advised = chosenModel()?.recommended_protocol ?? 'openai'
  const radio = document.querySelector(`input[name="protocol"][value="${CSS.escape(advised)}"]`)
  if (radio) radio.checked = true
}

function showCommand() {
  const item = chosenModel()
  const id = item?.id ?? 'MODEL_ID'
  const protocol = document.querySelector('input[name="protocol"]:checked').value
  byId('command').textContent = item && !isChat(item) ? embeddingCommand(id) : commands[protocol](id)
}

const json = (value) => `'${JSON.stringify(value).replaceAll("'", String.raw`'\''`)}'`
const curl = (url, headers, body) =>
  [`curl ${url}`, ...headers.map((header) => `  -H "${header}"`), `  -d ${json(body)}`].join(' \\\n')

const JSON_HEADER = 'Content-Type: application/json'
const TEXT = 'Say hello.'
const commands = {
  openai: (id) =>
    curl(`${root}/v1/chat/completions`, ['Authorization: Bearer $TRIVIUM_API_KEY', JSON_HEADER], {
      model: id,
      messages: [{ role: 'user', content: TEXT }],
    }),
  anthropic: (id) =>
    curl(`${root}/v1/messages`, ['x-api-key: $TRIVIUM_API_KEY', 'anthropic-version: 2023-06-01', JSON_HEADER], {
      model: id,
      max_tokens: 256,
      messages: [{ role: 'user', content: TEXT }],
    }),
  gemini: (id) =>
    curl(`"${root}/v1beta/models/${id}:generateContent"`, ['x-goog-api-key: $TRIVIUM_API_KEY', JSON_HEADER], {
      contents: [{ role: 'user', parts: [{ text: TEXT }] }],
    }),
}
const embeddingCommand = (id) =>
  curl(`${root}/v1/embeddings`, ['Authorization: Bearer $TRIVIUM_API_KEY', JSON_HEADER], { model: id, input: TEXT })
