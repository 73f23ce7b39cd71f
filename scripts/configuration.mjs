// Writes docs/configuration.md from the tables of settings: npm run docs:configuration
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configurationPage } from '../src/cli/configuration-page.ts'

writeFileSync(fileURLToPath(new URL('../docs/configuration.md', import.meta.url)), configurationPage())
