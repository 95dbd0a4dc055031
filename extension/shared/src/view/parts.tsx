/** Small pieces that several views show. */

import type { JSX } from "preact";

import { place } from "../format";
import type { Host } from "../host";
import type { Source } from "../protocol";

/** A line of the program; a click goes there. */
export function Line({ host, source }: { host: Host; source: Source }): JSX.Element {
  return (
    <button
      type="button"
      class="link"
      title={`${source.path}:${source.line}${source.function ? ` in ${source.function}` : ""}`}
      onClick={(event) => {
        event.stopPropagation();
        host.open(source);
      }}
    >
      {place(source)}
    </button>
  );
}

const ICONS = {
  alert: "M8 1.6 15.2 14H.8L8 1.6Zm0 3.6v4.4M8 11.2v1.2",
  follow: "M8 2v9M4 7.5 8 11.5l4-4M3 14h10",
  graph: "M3 2.5h4v3H3zM9 10.5h4v3H9zM5 5.5V12h4M5 8.5h6v2",
  left: "M10 3 5 8l5 5",
  right: "m6 3 5 5-5 5",
  fit: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  pin: "M6 2h4l-.5 5 2.5 2.5H4L6.5 7 6 2ZM8 9.5V14",
  close: "m4 4 8 8M12 4l-8 8",
  target: "M8 1v3M8 12v3M1 8h3M12 8h3M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Z",
} as const;

export type IconName = keyof typeof ICONS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  pressed?: boolean;
  disabled?: boolean;
  onClick: () => void;
}

export function IconButton({ icon, label, pressed, disabled, onClick }: IconButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class="iconButton"
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
