# SPDX-License-Identifier: MIT
"""The page's frame and its looks: light and dark as the reader's system is, and for paper."""

from __future__ import annotations

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="subtitle">{subtitle}</p>
<p class="answer {state}">{answer}</p>
<div class="cards">{cards}</div>
</header>
<main>{body}</main>
</body>
</html>
"""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5f6b7a; --paper: #fff; --panel: #f4f6f9; --line: #d9dee6;
  --good: #3d8b52; --look: #b7791f; --bad: #c0352b; --plain: #8a929e; --accent: #3b78c3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --dim: #9aa5b4; --paper: #14181f; --panel: #1e242d;
  --line: #333c49; --good: #6cc084; --look: #e0ab4a; --bad: #ef7067; --plain: #8a929e; --accent: #6fa5e6; } }
@media print { :root { color-scheme: light; --ink: #000; --dim: #444; --paper: #fff; --panel: #f4f6f9; --line: #ccc;
  --good: #3d8b52; --look: #b7791f; --bad: #c0352b; } section, .card, svg { break-inside: avoid; } h2 {
  break-after: avoid; }
  body { max-width: none; padding: 0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 20px 24px 48px; background: var(--paper); color: var(--ink);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
h1 { font-size: 24px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 4px; }
h3 { font-size: 14px; margin: 16px 0 4px; }
p { margin: 0; }
.subtitle, .note { color: var(--dim); overflow-wrap: anywhere; }
.note { margin-bottom: 10px; }
.answer { display: inline-block; margin: 14px 0; padding: 5px 14px; border-radius: 6px; font-size: 19px;
  font-weight: 650;
  color: #fff; background: var(--plain); }
.answer.good { background: #3d8b52; } .answer.look { background: #a86c12; } .answer.bad { background: #c0352b; }
.cards { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 12px; }
.card { position: relative; background: var(--panel); border-radius: 8px; padding: 12px 14px; overflow-wrap:
  anywhere; }
.card h2 { font-size: 13px; font-weight: 600; color: var(--dim); }
.card .head { font-size: 18px; font-weight: 650; line-height: 1.25; margin-bottom: 4px; }
.mark { position: absolute; top: 14px; right: 14px; width: 12px; height: 12px; border-radius: 6px; background:
  var(--plain); }
.mark.good { background: var(--good); } .mark.look { background: var(--look); border-radius: 2px; }
.mark.bad { background: var(--bad); border-radius: 0; transform: rotate(45deg); }
section { margin-top: 34px; }
svg { display: block; width: 100%; height: auto; color: var(--ink); }
svg text { fill: currentColor; font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans",
  sans-serif; }
.maps { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 16px; align-items: start; }
.maps .wide { grid-column: 1 / -1; }
.array .none { fill: none; stroke: var(--line); }
table { border-collapse: collapse; min-width: 45%; max-width: 100%; font-size: 13px; margin-top: 6px; }
th, td { text-align: left; vertical-align: top; padding: 3px 10px 3px 0; border-bottom: 1px solid var(--line);
  overflow-wrap: break-word; }
.w { overflow-wrap: anywhere; }
th { color: var(--dim); font-weight: 600; overflow-wrap: normal; }
.n { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
td.n { white-space: nowrap; }
.verdict { font-weight: 600; } .v-good { color: var(--good); } .v-not, .v-unknown { color: var(--dim); font-weight:
  400; }
.v-dead, .v-clipped { color: var(--bad); } .v-hum, .v-noisy, .v-unlike { color: var(--look); }
@media (max-width: 860px) { body { padding: 16px 14px 40px; } .cards { grid-template-columns: repeat(2, minmax(0,
  1fr)); }
  table { font-size: 12px; } th, td { padding-right: 7px; } }
"""
