/** Our own text, fixed so that tests may compare it: several paragraphs, accents, dashes, CJK and an emoji. */
export const STORY = `The lighthouse keeper of Sørvær counted ships the way other people count sheep. Each evening she opened a ledger with a blue spine, dipped her pen, and wrote one line for every light that passed the point.

One night in November a boat came by with no name on its bow. It carried three lanterns – red, green and white – and a crate marked 信 in fresh paint. “Which harbour do you belong to?” she called through the brass horn. Nobody answered, yet the boat slowed down, as if it had understood the question and needed time to think.

She could have written “unknown” and gone to bed. Instead she lit the second lamp, the one that was kept for storms, and swung its beam three times across the water: I see you, I see you, I see you. Out in the dark the white lantern dipped in reply. 🛶

In the morning the crate stood on her steps. Inside lay a ledger with a red spine, and on its first page, in a careful hand, somebody had drawn her lighthouse and written: one light, still burning, every night. She set the two books side by side on the shelf, and from then on the accounts of the coast agreed to the last line.`
