import { LabIcon } from "@jupyterlab/ui-components";

export const icon = new LabIcon({
  name: "graphdebug:graph",
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">
  <g class="jp-icon3 jp-icon-selectable" fill="#616161">
    <circle cx="3" cy="4" r="2"/><circle cx="3" cy="12" r="2"/><circle cx="12.5" cy="8" r="2.5"/>
    <path d="M4.6 4.2 11 7.2l-.5 1L4.2 5.2zM4.6 11.8 11 8.8l-.5-1-6.3 3z"/>
  </g>
</svg>`,
});
