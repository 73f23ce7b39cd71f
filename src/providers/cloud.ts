/** What the clouds need to be told besides an address and a key. Plain data, written by the configuration. */

/** Whose paths and bodies a backend's calls have. */
export type Cloud =
  /** Null: Azure's own `/openai/v1`, without dates. */
  | {
      readonly kind: 'azure'
      readonly apiVersion: string | null
      /** The address ends in `/models`: models of all makers under their own names, without deployments. */
      readonly isModelInference?: true
    }
  /** Without a project: express mode, with an API key. */
  | { readonly kind: 'vertex'; readonly project: string | null; readonly location: string }
  | { readonly kind: 'bedrock' }

/** Where the credential of a backend comes from, when it is none that stays. Holds secrets. */
export type AccessSource =
  | EntraAccess
  | GoogleAccess
  | { readonly kind: 'aws'; readonly region: string; readonly source: AwsSource }

/** Client credentials of an Entra application (Microsoft identity platform, OAuth 2.0 client credentials flow). */
export interface EntraAccess {
  readonly kind: 'entra'
  /** `https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token` */
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
}

/** Google's application default credentials: a file when there is one, else the metadata server of the machine. */
export interface GoogleAccess {
  readonly kind: 'google'
  /** Files to look for, in order. The first must be there when it was asked for by name. */
  readonly files: readonly string[]
  readonly isFileNamed: boolean
  /** Replaces the `token_uri` of a file. */
  readonly tokenUrl: string | null
  /** `http://metadata.google.internal` */
  readonly metadataUrl: string
}

/** Where AWS keys come from when they are not written down: a subset of what AWS's own libraries look at, in their order. */
export type AwsSource =
  | { readonly from: 'profile'; readonly profile: string; readonly files: readonly string[] }
  /** A token of the cluster for temporary keys (IRSA). */
  | { readonly from: 'web-identity'; readonly tokenFile: string; readonly roleArn: string; readonly stsUrl: string }
  | {
      readonly from: 'container'
      readonly url: string
      readonly tokenFile: string | null
      readonly token: string | null
    }
  /** The machine's own role (IMDSv2). */
  | { readonly from: 'instance'; readonly url: string }
