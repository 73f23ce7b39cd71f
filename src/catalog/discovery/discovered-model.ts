/** A model as an upstream lists it, in the words of the configuration file. What the upstream does not tell is absent. */
export interface DiscoveredModel {
  readonly id: string
  readonly upstream_model: string
  readonly name?: string
  readonly context_window?: number
  readonly max_output?: number
  readonly capabilities?: readonly string[]
  readonly input_modalities?: readonly string[]
  readonly output_modalities?: readonly string[]
  /** Decimal text, USD per million tokens; `image` and `request` in USD each. */
  readonly price?: Readonly<Record<string, string>>
}

/** Without what is undefined, so that it stays absent in the file. */
export const present = (model: { [key in keyof DiscoveredModel]: DiscoveredModel[key] | undefined }): DiscoveredModel =>
  Object.fromEntries(Object.entries(model).filter(([, value]) => value !== undefined)) as unknown as DiscoveredModel
