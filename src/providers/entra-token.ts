import type { Lease } from './access-token.ts'
import type { EntraAccess } from './cloud.ts'
import { askForToken, readOAuthToken } from './token-request.ts'

/** What Azure's model services are called there. */
const SCOPE = 'https://cognitiveservices.azure.com/.default'

export async function fetchEntraToken(access: EntraAccess): Promise<Lease<string>> {
  const text = await askForToken(access.tokenUrl, {
    method: 'POST',
    form: {
      grant_type: 'client_credentials',
      client_id: access.clientId,
      client_secret: access.clientSecret,
      scope: SCOPE,
    },
  })
  return readOAuthToken(text, Date.now())
}
