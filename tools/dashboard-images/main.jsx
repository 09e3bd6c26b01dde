// Renders a dashboard with Grafana's components from window.DATA, which images.py writes.
// State timelines, heatmaps and tables are rendered here: @grafana/ui has no component of the first two.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { FieldType, createTheme, dateTime, formattedValueToString, getDisplayProcessor, getValueFormat } from '@grafana/data';
import { BigValue, ThemeContext, TimeSeries } from '@grafana/ui';

const theme = createTheme({ colors: { mode: 'dark' } });
const color = (name) => theme.visualization.getColorByName(name);
const { dashboard, results, rollouts, from, to, step } = window.DATA;
const [ROW, GAP, TOP] = [38, 8, 48];
const COLUMN = (window.innerWidth - 2 * GAP) / 24;
const range = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: 'now-1h', to: 'now' } };
const timeFormat = getDisplayProcessor({ field: { type: FieldType.time, config: {} }, theme, timeZone: 'utc' });

function configure(field, name, index, panel) {
  const config = structuredClone(panel.fieldConfig.defaults);
  Object.assign(config, { displayName: name, custom: config.custom ?? {} });
  config.color = { mode: panel.type === 'stat' ? 'thresholds' : 'palette-classic' };
  config.thresholds.steps[0].value = -Infinity;
  for (const { matcher, properties } of panel.fieldConfig.overrides) {
    const { id, options } = matcher;
    if (id === 'byName' ? options !== name : !new RegExp(options.slice(1, -1)).test(name)) continue;
    for (const property of properties) {
      const custom = property.id.startsWith('custom.');
      (custom ? config.custom : config)[property.id.replace('custom.', '')] = property.value;
    }
  }
  const numbers = field.values.filter((value) => value !== null);
  const bounds = { min: Math.min(0, ...numbers), max: Math.max(...numbers), delta: 1 };
  Object.assign(field, { config, state: { displayName: name, seriesIndex: index, range: bounds } });
  field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
  return field;
}

function framesOf(panel) {
  const times = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) times.push(at);
  const frames = [];
  panel.targets.forEach((target, i) => {
    for (const { metric, values } of results[panel.id][i]) {
      const known = new Map(values.map(([at, value]) => [Math.round(at), Number(value)]));
      const name = target.legendFormat.replace(/{{(\w+)}}/g, (_, label) => metric[label] ?? '');
      const series = times.map((at) => (Number.isFinite(known.get(at)) ? known.get(at) : null));
      const field = { name: 'Value', type: FieldType.number, values: series, labels: metric };
      const time = { name: 'Time', type: FieldType.time, values: times.map((at) => at * 1000), config: {}, state: {}, display: timeFormat };
      frames.push({ name, length: times.length, fields: [time, configure(field, name, frames.length, panel)] });
    }
  });
  return frames;
}

const Stat = ({ panel, frames, width, height }) => (
  <div style={{ display: 'flex' }}>
    {frames.map(({ name, fields: [time, field] }) => (
      <BigValue key={name} width={width / frames.length - 4} height={height} theme={theme} colorMode="value" graphMode="area"
        textMode={panel.options.textMode} justifyMode="auto"
        value={{ ...field.display(field.values.findLast((value) => value !== null)), title: name }}
        sparkline={{ x: time, y: field, xMin: from * 1000, xMax: to * 1000 }} />
    ))}
  </div>
);

function markRollouts(config) {
  if (config.marked) return null;
  config.marked = true;
  config.addHook('draw', ({ ctx, bbox, valToPos }) => {
    ctx.save();
    Object.assign(ctx, { strokeStyle: color('blue'), lineWidth: 2 });
    ctx.setLineDash([4, 4]);
    for (const at of rollouts) {
      const x = valToPos(at * 1000, 'x', true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  });
  return null;
}

const Series = ({ panel, frames, width, height }) => (
  <TimeSeries frames={frames} width={width} height={height} timeRange={range} timeZone="utc" legend={panel.options.legend} structureRev={1}>
    {markRollouts}
  </TimeSeries>
);

const Bar = ({ label, width, height, colors }) => (
  <div style={{ display: 'flex', height, fontSize: 12, lineHeight: 1 }}>
    <div style={{ width }}>{label}</div>
    {colors.map((background, i) => <div key={i} style={{ flex: 1, marginBottom: 2, background }} />)}
  </div>
);

const States = ({ panel, frames, height }) => {
  const options = panel.fieldConfig.defaults.mappings[0].options;
  return (
    <div>
      {frames.map(({ name, fields }) => (
        <Bar key={name} label={name} width={190} height={Math.min(30, (height - 24) / frames.length)}
          colors={fields[1].values.map((value) => (value in options ? color(options[value].color) : 'transparent'))} />
      ))}
      {Object.values(options).map((state) => (
        <span key={state.text} style={{ marginRight: 16, fontSize: 12 }}>
          <span style={{ color: color(state.color) }}>▬</span> {state.text}
        </span>
      ))}
    </div>
  );
};

const Heatmap = ({ panel, frames, height }) => {
  const bound = (frame) => Number(frame.fields[1].labels.le.replace('+Inf', 'Infinity'));
  const rows = [...frames].sort((a, b) => bound(b) - bound(a));
  const cumulative = rows.map((row) => row.fields[1].values.map((value) => value ?? 0));
  const cells = cumulative.map((row, i) => row.map((value, j) => Math.max(0, value - (cumulative[i + 1]?.[j] ?? 0))));
  const most = Math.max(...cells.flat(), 1e-9);
  const format = getValueFormat(panel.fieldConfig.defaults.unit);
  return rows.map((row, i) => (
    <Bar key={i} label={Number.isFinite(bound(row)) ? formattedValueToString(format(bound(row))) : '∞'} width={60}
      height={height / rows.length}
      colors={cells[i].map((value) => (value > 1e-9 ? `rgba(255, 120, 10, ${Math.sqrt(value / most)})` : 'transparent'))} />
  ));
};

const Rows = ({ panel }) => {
  const names = panel.transformations[0].options.renameByName;
  const mappings = {};
  for (const { matcher, properties } of panel.fieldConfig.overrides)
    for (const { id, value } of properties) if (id === 'mappings') mappings[matcher.options] = value[0].options;
  const cell = { padding: '5px 8px', textAlign: 'left', whiteSpace: 'nowrap', overflow: 'hidden', textOverflow: 'ellipsis', maxWidth: 240 };
  return (
    <table style={{ fontSize: 13, borderCollapse: 'collapse' }}>
      <thead><tr>{Object.values(names).map((name) => <th key={name} style={{ ...cell, color: theme.colors.primary.text }}>{name}</th>)}</tr></thead>
      <tbody>
        {results[panel.id][0].map(({ metric }, i) => (
          <tr key={i}>
            {Object.keys(names).map((name) => {
              const mapped = mappings[names[name]]?.[metric[name]];
              return <td key={name} style={{ ...cell, color: mapped && color(mapped.color) }}>{metric[name]}</td>;
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
};

const KINDS = { stat: Stat, timeseries: Series, 'state-timeline': States, heatmap: Heatmap, table: Rows };

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * COLUMN - GAP, h * ROW - GAP];
  const box = { position: 'absolute', left: x * COLUMN + GAP, top: y * ROW + TOP, width, height };
  if (panel.type === 'row') return <div style={{ ...box, fontSize: 18 }}>⌄ {panel.title}</div>;
  const Kind = KINDS[panel.type];
  const frames = panel.type === 'table' ? results[panel.id][0] : framesOf(panel);
  return (
    <div style={{ ...box, padding: GAP, background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}` }}>
      <div style={{ height: 24, fontSize: 14, fontWeight: 500 }}>{panel.title}</div>
      {frames.length ? <Kind panel={panel} frames={frames} width={width - 18} height={height - 42} />
        : <div style={{ textAlign: 'center', paddingTop: height / 4, color: theme.colors.text.secondary }}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>}
    </div>
  );
}

createRoot(document.body).render(
  <ThemeContext.Provider value={theme}>
    <div style={{ color: theme.colors.text.primary, fontFamily: theme.typography.fontFamily }}>
      <div style={{ padding: 12, fontSize: 18 }}>{dashboard.title}</div>
      {dashboard.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
    </div>
  </ThemeContext.Provider>,
);
