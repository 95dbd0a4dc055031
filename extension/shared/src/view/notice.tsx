/** What stands above a view's content: what keeps it from showing all there is. */

import type { JSX } from "preact";

import { counted, sentence } from "../format";
import type { Observed } from "../model/observed";

/** Connection lost, requests refused, records dropped. `error` is the view's own. */
export function Notices({ of, error }: { of: Observed; error?: string | undefined }): JSX.Element {
  const refused = of.session === undefined ? undefined : error;
  return (
    <div class="notices">
      {of.lost !== undefined && (
        <p class="notice error" role="alert">
          {sentence(of.lost)}
        </p>
      )}
      {refused !== undefined && (
        <p class="notice error" role="alert">
          {sentence(refused)}
        </p>
      )}
      {of.dropped > 0 && (
        <p class="notice warning" role="status">
          {counted(of.dropped, "record")} dropped: the program was faster than the link. What is shown
          isn't all that it did.
        </p>
      )}
      {of.session === undefined && of.ended !== undefined && (
        <p class="notice" role="status">
          {of.ended.name} has ended.
        </p>
      )}
    </div>
  );
}

/** What is said where there is nothing to show. */
export function Empty({ of, what }: { of: Observed; what: string }): JSX.Element {
  return (
    <p class="empty" role="status">
      {emptiness(of, what)}
    </p>
  );
}

function emptiness(of: Observed, what: string): string {
  if (of.session === undefined && of.ended === undefined) {
    return "No program is being debugged.";
  }
  const { state } = of;
  if (state?.capture === "off") {
    return 'Nothing is recorded: "capture" is "off".';
  }
  const unobserved = state?.backends.find((backend) => !backend.active);
  if (unobserved?.reason) return `${unobserved.name} isn't observed: ${unobserved.reason}`;
  return what;
}
