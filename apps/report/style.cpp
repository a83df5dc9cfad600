#include "apps/report/style.h"

namespace ntq::apps {

const char* const kStyle =
    R"(:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --line: #d9dde2; --soft: #596069; --panel: #f6f7f9;
  --c0: #1f5fd0; --c1: #c2410c; --c2: #1a7f37; --c3: #8a3ab9; --c4: #b3246b; --c5: #6b5b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #16181b; --line: #3a3f46; --soft: #a3abb6; --panel: #1e2125;
  --c0: #79adff; --c1: #ff9a5c; --c2: #63d07a; --c3: #cf9bf5; --c4: #ff8cc0; --c5: #d9c75a; } }
body { margin: 1.5rem auto; max-width: 76rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); overflow-wrap: break-word; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .verdict { font-size: 1.1rem; } .note, .missing { color: var(--soft); font-size: .875rem; }
.none { color: var(--soft); } a { color: var(--c0); }
pre { margin: 0; font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .8125rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { color: var(--soft); font-weight: 600; cursor: pointer; }
.best { font-weight: 700; } .equal { text-decoration: underline; }
.figures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); align-items: start; }
.figures.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 13rem), 1fr)); gap: .5rem; }
figure { margin: 0; padding: .6rem; background: var(--panel); border-radius: 6px; min-width: 0; break-inside: avoid; }
figcaption { font-size: .875rem; font-weight: 600; margin-bottom: .3rem; display: flex; flex-wrap: wrap; gap: 0 .8rem; }
.key, .scale { font-weight: 400; color: var(--soft); white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: .8em; height: .25em; margin-right: .3em; vertical-align: middle;
  background: var(--k); }
.scale i { display: inline-block; width: .7em; height: .7em; background: var(--c0); }
svg { display: block; width: 100%; height: auto; } svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg .small { font-size: 9.5px; } .end { text-anchor: end; } .mid { text-anchor: middle; }
.grid { stroke: var(--line); stroke-width: 1; } .cross { stroke: var(--soft); visibility: hidden; }
.mark { stroke: var(--c1); stroke-width: 1; } .mean { stroke: var(--ink); stroke-width: 2; }
.curve { fill: none; stroke-width: 1.6; stroke-linejoin: round; } .soft { fill-opacity: .7; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); }
.c5 { stroke: var(--c5); } .f0 { fill: var(--c0); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); }
.f4 { fill: var(--c4); } .f5 { fill: var(--c5); } .k0 { --k: var(--c0); } .k1 { --k: var(--c1); } .k2 { --k: var(--c2); }
.k3 { --k: var(--c3); } .k4 { --k: var(--c4); } .k5 { --k: var(--c5); }
.h0, .h1, .h2, .h3, .h4, .h5, .h6, .h7, .h8 { fill: var(--c0); }
.h0 { fill-opacity: .08; } .h1 { fill-opacity: .19; } .h2 { fill-opacity: .31; } .h3 { fill-opacity: .42; } .h4 { fill-opacity: .54; }
.h5 { fill-opacity: .65; } .h6 { fill-opacity: .77; } .h7 { fill-opacity: .88; }
.b0 { opacity: .08; } .b1 { opacity: .19; } .b2 { opacity: .31; } .b3 { opacity: .42; } .b4 { opacity: .54; } .b5 { opacity: .65; }
.b6 { opacity: .77; } .b7 { opacity: .88; }
#tip { position: fixed; pointer-events: none; padding: .3rem .5rem; border: 1px solid var(--line); border-radius: 4px;
  background: var(--paper); font-size: .8rem; white-space: pre; z-index: 1; }
@media print { body { max-width: none; } })";

const char* const kScript =
    R"((() => {
const charts = JSON.parse(document.getElementById('data').textContent), tip = document.getElementById('tip');
const near = (a, v) => a.reduce((b, x, i) => Math.abs(x - v) < Math.abs(a[b] - v) ? i : b, 0);
const show = (v, digits) => String(+v.toPrecision(digits || 6));
for (const f of document.querySelectorAll('figure[data-chart]')) {
  const c = charts[f.dataset.chart], svg = f.querySelector('svg'), cross = f.querySelector('.cross');
  const hide = () => { tip.hidden = true; cross.style.visibility = 'hidden'; };
  svg.addEventListener('pointerleave', hide);
  svg.addEventListener('pointermove', e => {
    const r = svg.getBoundingClientRect(), width = svg.viewBox.baseVal.width;
    const part = ((e.clientX - r.left) / r.width * width - c.from) / (c.to - c.from);
    if (part < 0 || part > 1) return hide();
    const scale = v => c.log ? Math.log(v / c.low) / Math.log(c.high / c.low) : (v - c.low) / (c.high - c.low);
    const lines = [], at = [];
    for (const s of c.s) {
      if (!s.x.length) continue;
      const i = near(s.x.map(scale), part);
      at.push(s.x[i]);
      lines.push((s.n ? s.n + '  ' : '') + show(s.y[i], 4) + (c.s.length > 1 && s.x[i] !== at[0] ? ' at ' + show(s.x[i]) : ''));
    }
    if (!at.length) return hide();
    cross.setAttribute('transform', 'translate(' + (c.from + scale(at[0]) * (c.to - c.from)) + ')');
    cross.style.visibility = 'visible';
    tip.textContent = c.xn + ' ' + show(at[0]) + '\n' + lines.join('\n');
    tip.hidden = false;
    tip.style.left = Math.max(0, Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 8)) + 'px';
    tip.style.top = Math.max(0, Math.min(e.clientY + 14, innerHeight - tip.offsetHeight - 8)) + 'px';
  });
}
for (const t of document.querySelectorAll('table')) {
  const body = t.tBodies[0];
  if (body) [...t.tHead.rows[0].cells].forEach((head, i) => {
    let up = 1;
    const value = row => {
      const x = row.cells[i].textContent, n = parseFloat(x), unit = /^[-+.e\d]+ ([kMGT])B?\b/.exec(x);
      return isNaN(n) ? x : unit ? n * 1000 ** ' kMGT'.indexOf(unit[1]) : n;
    };
    const sort = () => {
      [...body.rows].sort((p, q) => {
        const x = value(p), y = value(q);
        return up * (typeof x !== typeof y ? (typeof x === 'number' ? -1 : 1) : x < y ? -1 : x > y ? 1 : 0);
      }).forEach(row => body.append(row));
      up = -up;
    };
    head.tabIndex = 0;
    head.title = 'sort';
    head.onclick = sort;
    head.onkeydown = e => { if (e.key === 'Enter') sort(); };
  });
}
})();)";

}  // namespace ntq::apps
