// Makes an SVG of a recorded run: the title, the parts that the README has room for, and the table at the end.
import { readFileSync, writeFileSync } from 'node:fs'
import toSVG from 'ansi-to-svg'

const [from, to] = process.argv.slice(2)
const bare = (line) => line.replace(/\x1b\[[0-9;]*m/g, '')

const parts = [[]]
for (const line of readFileSync(from, 'utf8').trim().split('\n')) {
  if (/^(Start$|\d+\. |\s+OAUTHTOKEN |\s+SECRET |All of it|Stopped)/.test(bare(line))) parts.push([])
  parts.at(-1).push(line)
}
const wanted = /^(Tokensync demo|[1-4]\. |\s+OAUTHTOKEN |All of it)/
const kept = parts.filter((part) => wanted.test(bare(part[0]))).map((part) => part.join('\n').trimEnd())
if (kept.length !== 7) throw new Error(`the demo tells ${kept.length} of 7 parts: look at ${from}`)

const padding = 16
const svg = toSVG(kept.join('\n\n'), { paddingTop: padding, paddingRight: padding, paddingBottom: padding, paddingLeft: padding })

// The package places text by the width of one font, behind its leading spaces. Each piece is given that width, so that tables stay straight in
// any other font.
const column = 14 * 0.6
const columns = (text) => [...text.replace(/&[^;]+;/g, 'x')].length
const picture = svg
  .replace(/font-family="[^"]*"/, `font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"`)
  .replace(/<text ([^>]*)>([^<]*)<\/text>/g, (_, attributes, text) =>
    `<text ${attributes} xml:space="preserve" textLength="${(columns(text.trim()) * column).toFixed(1)}">${text.trim()}</text>\n`)
  .replace('<g ', '<title>The demo on a terminal</title><g ')
  .replaceAll('fill="#000000"', 'fill="#0d1117"').replace(/(viewBox="0),? (0),? ([\d.]+),? ([\d.]+)"/, '$1 $2 $3 $4" width="$3" height="$4"')
writeFileSync(to, picture.replace('#D3D3D3', '#e6edf3'))
