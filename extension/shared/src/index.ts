export type * from "./host";
export type * from "./protocol";
export { connect, expose, VIEW_STATES, type Port } from "./bridge";
export { mount, VIEW_NAMES, VIEW_TITLES, type MountOptions, type ViewName } from "./mount";
