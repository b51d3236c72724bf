/** How reports look: on screens of any width, light and dark, and on paper. */

export const style = `
:root {
  color-scheme: light dark;
  --ground: #f5f6f8;
  --surface: #ffffff;
  --ink: #161a21;
  --muted: #545e6c;
  --line: #dce0e6;
  --bar: #7d93b2;
  --accent: #1d5bb5;
  --danger: #b42318;
  --danger-ground: #fdf0ee;
  --warning: #8a5300;
  --warning-ground: #fdf5e4;
  --good: #1a6b3c;
  --good-ground: #edf7f0;
  --neutral-ground: #eef0f4;
  --code: #f0f2f5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1217;
    --surface: #171b22;
    --ink: #e6e9ee;
    --muted: #9fa9b7;
    --line: #2b323d;
    --bar: #6d84a6;
    --accent: #85b4ff;
    --danger: #ff8d80;
    --danger-ground: #2a1716;
    --warning: #f0bf5c;
    --warning-ground: #282013;
    --good: #74d09a;
    --good-ground: #13241a;
    --neutral-ground: #1b2029;
    --code: #10141a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  background: var(--ground);
  color: var(--ink);
  font: 400 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere;
}
.page { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
h1, h2, h3, h4, p, dl, dd, ul, figure { margin: 0; }
h2 { font-size: 1.375rem; line-height: 1.25; letter-spacing: -0.01em; }
h3 { font-size: 1.0625rem; line-height: 1.35; }
h4 { font-size: 0.9375rem; line-height: 1.4; margin-top: 1.75rem; }
p { max-width: 72ch; }
small { font-size: 0.8125rem; color: var(--muted); }
a { color: var(--accent); }
code, pre { font: 0.8125rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 1rem; z-index: 1; padding: 0.5rem 0.75rem; background: var(--surface); }

.verdict { border-bottom: 1px solid var(--line); border-top: 6px solid var(--tone); background: var(--tint); padding: 1.75rem 0 2rem; }
.backdoored { --tone: var(--danger); --tint: var(--danger-ground); }
.suspicious { --tone: var(--warning); --tint: var(--warning-ground); }
.no-patch-backdoor-found { --tone: var(--good); --tint: var(--good-ground); }
.inconclusive, .unfinished { --tone: var(--muted); --tint: var(--neutral-ground); }
.brand { font-size: 0.875rem; color: var(--muted); }
.brand span { font-weight: 650; color: var(--ink); }
h1 {
  display: flex; align-items: center; gap: 0.75rem;
  margin-top: 1.5rem;
  font-size: clamp(1.875rem, 6vw, 2.875rem); line-height: 1.1; letter-spacing: -0.025em; font-weight: 700;
  color: var(--tone);
}
.mark {
  flex: none; display: grid; place-items: center;
  width: 1.35em; height: 1.35em; border-radius: 50%;
  background: var(--tone); color: var(--tint);
  font-size: 0.62em; line-height: 1; letter-spacing: 0;
}
.sentence { margin-top: 0.75rem; font-size: clamp(1.0625rem, 2.6vw, 1.3125rem); line-height: 1.4; max-width: 60ch; text-wrap: pretty; }
.subject { display: flex; flex-wrap: wrap; gap: 0.125rem 1rem; margin-top: 0.75rem; font-size: 0.875rem; color: var(--muted); }
.subject bdi { font-weight: 600; color: var(--ink); }
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8.75rem, 1fr));
  gap: 1px; margin-top: 1.75rem;
  background: var(--surface); border: 1px solid var(--line); border-radius: 10px; overflow: hidden;
}
.figures div { box-shadow: 0 0 0 1px var(--line); padding: 0.75rem 0.875rem; }
.figures dt { font-size: 0.8125rem; color: var(--muted); }
.figures strong { display: block; font-size: 1.375rem; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em; }

main { display: block; padding-bottom: 4rem; }
main > section {
  margin-top: 1.5rem; padding: 1.5rem;
  background: var(--surface); border: 1px solid var(--line); border-radius: 12px;
}
main > section > h2 + * { margin-top: 1rem; }
main > section > h3 { margin-top: 1.5rem; }
main > section > h3 + * { margin-top: 0.375rem; }
main > section > .intro { margin-top: 0.375rem; color: var(--muted); }
.intro + * { margin-top: 1.25rem; }
ul { padding-left: 1.125rem; }
li + li { margin-top: 0.375rem; }
.columns { display: grid; gap: 1.5rem 2.5rem; }
.columns h3 + * { margin-top: 0.5rem; }
.unproven { border-left: 3px solid var(--line); padding-left: 1.25rem; }
.note { font-size: 0.875rem; color: var(--muted); margin: 0.75rem 0 0; }
.warning { background: var(--warning-ground); border-left: 3px solid var(--warning); padding: 0.625rem 0.875rem; max-width: none; margin-bottom: 0.75rem; }
.warning strong { color: var(--warning); }

.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 0 2.5rem; }
.facts div { display: grid; grid-template-columns: 10rem 1fr; gap: 0.75rem; padding: 0.4375rem 0; border-bottom: 1px solid var(--line); font-size: 0.9375rem; }
.facts dt { color: var(--muted); }
pre { margin: 0.75rem 0 0; padding: 0.875rem 1rem; background: var(--code); border: 1px solid var(--line); border-radius: 8px; white-space: pre-wrap; }
.command { border-left: 3px solid var(--accent); }
.command span { display: inline-block; }
.command code::before { content: "$ "; color: var(--muted); }
pre + .facts { margin-top: 1rem; }
details { margin-top: 1rem; min-width: 0; }
summary { cursor: pointer; color: var(--accent); font-size: 0.9375rem; width: fit-content; }
button { font: inherit; font-weight: 600; margin-top: 1rem; padding: 0.5rem 1rem; color: var(--surface); background: var(--accent); border: 0; border-radius: 8px; cursor: pointer; }

table { border-collapse: collapse; width: 100%; font-size: 0.875rem; }
caption { text-align: left; color: var(--muted); font-size: 0.8125rem; padding-bottom: 0.5rem; }
th { text-align: left; font-weight: 600; }
thead th { color: var(--muted); font-size: 0.8125rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th, td { padding: 0.3125rem 1rem 0.3125rem 0; vertical-align: baseline; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
.number { text-align: right; padding-right: 0; padding-left: 1rem; }
.scroll { overflow-x: auto; margin-top: 1rem; }
.scroll table { overflow-wrap: normal; }
.scroll tbody th { overflow-wrap: anywhere; min-width: 6.5rem; }
.badge {
  display: inline-block; margin-left: 0.5rem; padding: 0.0625rem 0.5rem;
  font-size: 0.75rem; line-height: 1.5; font-weight: 650; white-space: nowrap; vertical-align: 0.08em;
  color: var(--tone, var(--muted)); background: var(--tint, var(--neutral-ground));
  border: 1px solid currentColor; border-radius: 99px;
}

.pixels { display: block; image-rendering: pixelated; background: #000; height: auto; border-radius: 3px; outline: 1px solid var(--line); }
.detail + .detail { margin-top: 2.5rem; padding-top: 2rem; border-top: 1px solid var(--line); }
.trigger { display: grid; gap: 1.5rem 2.5rem; margin-top: 1rem; align-items: start; }
.trigger .pictures { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.75rem; }
.pictures .pixels { width: 100%; }
.trigger .facts { grid-template-columns: 1fr; margin-top: -0.4375rem; }
.trigger .facts div { grid-template-columns: 8.5rem 1fr; }
figcaption { margin-top: 0.375rem; font-size: 0.8125rem; line-height: 1.35; color: var(--muted); }
figcaption strong { display: block; color: var(--ink); }
.examples { list-style: none; padding: 0; margin-top: 0.875rem; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15.5rem), 1fr)); gap: 1rem; }
.examples li { margin: 0; padding: 0.875rem; border: 1px solid var(--line); border-radius: 10px; }
.pair { display: grid; grid-template-columns: 1fr auto 1fr; gap: 0.5rem; align-items: center; color: var(--muted); }
.pair .pixels { width: 100%; }
.examples dl { margin-top: 0.625rem; font-size: 0.875rem; }
.examples dl div { display: grid; grid-template-columns: 4.25rem 1fr; gap: 0.5rem; }
.examples dt { color: var(--muted); }
.hit dd { font-weight: 650; }
.outcome { font-size: 0.8125rem; color: var(--muted); font-weight: 400; }
.hit .outcome { color: var(--danger); font-weight: 650; }

.bars { table-layout: fixed; }
.bars th:first-child { width: 24%; padding-right: 0.75rem; }
.bars .number { width: 5.5rem; }
.bars thead th { vertical-align: bottom; }
.bars tbody tr > * { border: 0; padding-top: 0.125rem; padding-bottom: 0.125rem; line-height: 1.4; }
.bars tbody th { font-weight: 400; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.bars tr.backdoored > *, .bars tr.suspicious > * { font-weight: 650; }
.bars tbody strong { color: var(--tone); }
.bars .bar { position: relative; padding: 0; }
.bars .bar span { position: absolute; top: 0; bottom: 0; }
.bars .extent { background: var(--bar); border-radius: 2px; margin: 0.25rem 0; }
.bars tr.backdoored .extent, .bars tr.suspicious .extent { background: var(--tone); }
.bars .zero { border-left: 1px solid var(--muted); }
.bars td .limit { border-left: 2px dashed var(--danger); margin-left: -1px; }
.bars thead .bar { height: 1.75rem; }
.bars thead .limit { top: auto; color: var(--danger); transform: translateX(-50%); }

.plot { padding: 1.75rem 0.75rem 2.5rem 2.75rem; }
.plot svg { display: block; overflow: visible; }
.plot text { fill: var(--muted); font-size: 12px; }
.plot .axis { fill: var(--ink); }
.plot .grid { stroke: var(--line); }
.plot .line path { fill: none; stroke: var(--accent); stroke-width: 1.5; stroke-linejoin: round; }
.plot .ordinary { fill: var(--bar); }
.plot .flagged { fill: var(--danger); }
.plot .flag { fill: var(--danger); font-weight: 650; }
.plot .median line { stroke: var(--ink); stroke-width: 1.5; }
.plot .median text { fill: var(--ink); }
.plot g.limit line { stroke: var(--danger); stroke-width: 2; stroke-dasharray: 5 4; }
.plot g.limit text { fill: var(--danger); }
.curves { display: grid; gap: 0.5rem 1rem; margin-top: 0.5rem; }
.norms .plot { padding-top: 3rem; }
.curves > details { grid-column: 1 / -1; margin-top: 0; }

.pair-map svg { display: block; max-width: 40rem; margin: 0.75rem 0; }
.pair-map rect { fill: var(--accent); }
.pair-map text { fill: var(--muted); font-size: 4px; }

.gallery { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0.75rem; }
.gallery li {
  margin: 0; padding: 0.625rem; border: 1px solid var(--line); border-radius: 10px;
  content-visibility: auto; contain-intrinsic-size: auto 9rem;
}
.gallery li.backdoored, .gallery li.suspicious { border: 2px solid var(--tone); }
.gallery .pictures { display: grid; grid-template-columns: 1fr 1fr; gap: 0.375rem; }
.gallery .title { margin-top: 0.5rem; font-size: 0.875rem; font-weight: 600; line-height: 1.35; }
.gallery .name { font-weight: 400; }
.gallery small { display: block; }
.gallery .value { font-size: 0.8125rem; line-height: 1.4; }
.gallery .badge { margin: 0.375rem 0 0; }
.no-picture { display: grid; place-items: center; aspect-ratio: 1; font-size: 0.75rem; color: var(--muted); border: 1px dashed var(--line); }

@media (min-width: 36rem) {
  .curves { grid-template-columns: 1fr 1fr; }
}
@media (min-width: 46rem) {
  .columns { grid-template-columns: 3fr 2fr; }
  .trigger { grid-template-columns: 3fr 2fr; }
}
@media (min-width: 64rem) {
  .curves { grid-template-columns: repeat(4, 1fr); }
}
@media (max-width: 40rem) {
  main > section { padding: 1.125rem 1rem; border-radius: 10px; }
  .page { padding: 0 0.75rem; }
  .verdict .page { padding: 0 1.25rem; }
  .facts div, .trigger .facts div { grid-template-columns: 1fr; gap: 0; }
  .bars .wide { display: none; }
  .bars .number { width: 3.5rem; padding-left: 0.5rem; }
  .bars th:first-child { width: 30%; }
  .unproven { padding-left: 1rem; }
}
@media print {
  :root {
    color-scheme: light;
    --ground: #fff; --surface: #fff; --ink: #000; --muted: #444; --line: #bbb; --bar: #8295ad;
    --accent: #1d4f99; --danger: #a11d12; --warning: #744600; --good: #155a32;
    --danger-ground: #fff; --warning-ground: #fff; --good-ground: #fff; --neutral-ground: #fff; --code: #fff;
  }
  body { font-size: 0.8125rem; }
  .page { max-width: none; padding: 0; }
  .skip, button, summary, #data { display: none; }
  main > section { border: 0; padding: 0; margin-top: 1.5rem; }
  h2, h3, h4, caption { break-after: avoid; }
  .gallery li, .examples li, .figures, .plot, tr, figure, .trigger { break-inside: avoid; }
  .gallery li { content-visibility: visible; }
  .gallery { grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); }
  .figures { print-color-adjust: exact; }
  .bars .extent, .mark, .badge, .plot rect, .pixels { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
