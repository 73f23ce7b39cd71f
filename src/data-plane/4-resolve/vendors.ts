/** Slugs that stand for a vendor before the slash of an id, where they differ from the catalog's own (R28). */
const SLUGS: ReadonlyMap<string, string> = new Map([
  ['meta-llama', 'meta'],
  ['mistralai', 'mistral'],
  ['x-ai', 'xai'],
  ['moonshotai', 'moonshot'],
  ['z-ai', 'zai'],
  ['zhipu', 'zai'],
  ['gemini', 'google'],
  ['alibaba', 'qwen'],
  ['deepseek-ai', 'deepseek'],
  ['amazon', 'aws'],
])

const canonical = (slug: string): string => SLUGS.get(slug) ?? slug

/** Whether the prefix names the vendor of this model. */
export const isVendor = (slug: string, vendor: string): boolean =>
  canonical(slug.toLowerCase()) === canonical(vendor.toLowerCase())
