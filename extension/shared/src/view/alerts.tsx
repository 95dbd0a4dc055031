/** What the user should know, newest first. */

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { counted, grouped } from "../format";
import { Alerts } from "../model/alerts";
import type { Observed } from "../model/observed";
import type { Alert, AlertKind } from "../protocol";
import { usePulse } from "./hooks";
import { List } from "./list";
import { Empty, Notices } from "./notice";
import { Icon, Line } from "./parts";

const NAMES: Readonly<Record<AlertKind, string>> = {
  nan: "NaN",
  inf: "Inf",
  gradient: "Gradient",
  parameter: "Parameter",
  retrace: "Retrace",
  recompile: "Recompile",
  device: "Device",
  shape: "Shape",
  hook: "graphdebug",
};

const SEVERE: readonly AlertKind[] = ["nan", "inf"];

export function AlertsView({ of }: { of: Observed }): JSX.Element {
  usePulse(of.pulse);
  const { host } = of;
  const alerts = useMemo(() => new Alerts(of), [of]);
  useEffect(() => () => alerts.dispose(), [alerts]);
  const [kind, setKind] = useState<AlertKind>();
  const [row, setRow] = useState<number>();
  const kinds = alerts.kinds;
  const shown = useMemo(
    () => alerts.all.filter((alert) => kind === undefined || alert.kind === kind).reverse(),
    [alerts.all, kind],
  );
  const chosen = row === undefined ? undefined : shown[row];
  const choose = (index: number): void => {
    setRow(index);
    const { step, node } = shown[index] ?? {};
    if (typeof step === "number" && step < of.total) {
      host.select(typeof node === "number" ? { step, node } : { step });
    }
  };
  return (
    <div class="view">
      <Notices of={of} error={alerts.error} />
      {alerts.all.length === 0 ? (
        <Empty of={of} what="No alerts yet. They say where a NaN or Inf that did harm comes from, what was traced or compiled again, and what keeps the model from learning." />
      ) : (
        <>
          <div class="bar" role="group" aria-label="Kinds of alerts">
            <button type="button" class={`chip ${kind === undefined ? "pressed" : ""}`} aria-pressed={kind === undefined} onClick={() => setKind(undefined)}>
              All {grouped(alerts.all.length)}
            </button>
            {[...kinds].map(([each, count]) => (
              <button type="button" key={each} class={`chip ${kind === each ? "pressed" : ""}`} aria-pressed={kind === each} onClick={() => setKind(kind === each ? undefined : each)}>
                {NAMES[each]} {grouped(count)}
              </button>
            ))}
          </div>
          <List
            label={counted(shown.length, "alert")}
            total={shown.length}
            tracks="12ch 7ch minmax(20ch, 1fr)"
            headings={["Kind", "Step", "Message"]}
            row={(index) => cells(shown[index])}
            chosen={row}
            onChoose={choose}
            onOpen={(index) => {
              const source = shown[index]?.source;
              if (source) host.open(source);
            }}
          />
          {chosen !== undefined && (
            <section class="details" aria-label="The chosen alert" aria-live="polite">
              <h2 class={SEVERE.includes(chosen.kind) ? "severe" : ""}>
                <Icon name="alert" /> {NAMES[chosen.kind]}
                {typeof chosen.step === "number" && <span class="muted">in step {grouped(chosen.step)}</span>}
                {chosen.source && <Line host={host} source={chosen.source} />}
              </h2>
              <p class="message">{chosen.message}</p>
            </section>
          )}
        </>
      )}
    </div>
  );
}

function cells(alert: Alert | undefined): ReturnType<Parameters<typeof List>[0]["row"]> {
  if (alert === undefined) return undefined;
  const severe = SEVERE.includes(alert.kind);
  return {
    label: `${NAMES[alert.kind]}, ${alert.message}`,
    cells: (
      <>
        <span role="gridcell" class={severe ? "severe" : "warned"}>
          <Icon name="alert" /> {NAMES[alert.kind]}
        </span>
        <span role="gridcell" class="numeric">{typeof alert.step === "number" ? grouped(alert.step) : ""}</span>
        <span role="gridcell" class="ellipsis" title={alert.message}>{alert.message}</span>
      </>
    ),
  };
}
