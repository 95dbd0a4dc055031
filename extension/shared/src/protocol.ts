// Generated from the dataclasses in graphdebug/protocol by `python -m graphdebug.protocol`; do not edit.

/** A number; JSON has no NaN and no infinities, which travel as these strings. */
export type Float = number | "nan" | "inf" | "-inf";
export type StepKind = "eager" | "session" | "function" | "compiled";
export type Framework = "torch" | "tensorflow";
export type Phase = "forward" | "backward" | "optimizer" | "graph";
export type AlertKind = "nan" | "inf" | "gradient" | "parameter" | "retrace" | "recompile" | "device" | "shape" | "hook";
export type Capture = "off" | "steps" | "nodes" | "values";
export type StaticGraphs = "boundary" | "node";
export type BindingKind = "line" | "boundary" | "node" | "never";
export type RankState = "running" | "stopped" | "ended";
export type TensorMode = "summary" | "values" | "histogram";
export type ChildPolicy = "join" | "session" | "observe";
export type CollectiveTimeout = "extend" | "keep";

/** A place in the user's code. */
export interface Source {
  /** Absolute path, as the interpreter spells it in `co_filename`. */
  path: string;
  /** 1-based line. */
  line: number;
  /**
   * Name of the function that the line stands in; `<module>` at the top level.
   * @default ""
   */
  function?: string;
}

/** A tensor as it is described without touching its data. */
export interface Tensor {
  /** Sizes; -1 for a dimension that a static graph leaves open. */
  shape: number[];
  /** The framework's short name, such as `float32`. */
  dtype: string;
  /** The framework's own string, such as `cpu`, `cuda:0` or `/device:CPU:0`. */
  device: string;
  /** Elements times the size of one; 0 where the shape is open. */
  bytes: number;
  /**
   * Whether autograd follows it.
   * @default false
   */
  requiresGrad?: boolean;
  /** Nested numbers, where captured and at most 16 elements; NaN and Inf as strings. */
  value?: unknown;
}

/** One executed operation, or one autograd Node. */
export interface Node {
  /** Position within the step, in order of execution. */
  index: number;
  /** Index of the step that it belongs to. */
  step: number;
  /** The framework's name of this node, such as `AddmmBackward0` or `while/Add`. */
  name: string;
  /** Its operation, such as `aten::linear`, `AddmmBackward0` or `AddV2`. */
  opType: string;
  /** Which pass it ran in; `graph` for a node of a static graph. */
  phase: Phase;
  /** How many times this node ran before within the step. */
  iteration: number;
  /** Where it ran. */
  device: string;
  /**
   * Its tensor inputs; for a backward node the gradients that came in.
   * @default []
   */
  inputs?: Tensor[];
  /**
   * Its tensor outputs; for a backward node the gradients that went out.
   * @default []
   */
  outputs?: Tensor[];
  /** The user's line that made it; None where no user line did. */
  source?: Source;
  /**
   * Nanoseconds it took; 0 where that was not measured.
   * @default 0
   */
  durationNs?: number;
  /** Of a backward node: index, within the step, of the operation that made it. */
  forwardNode?: number;
  /**
   * Of a node in loops: the iteration of each, outermost first; empty where that isn't known.
   * @default []
   */
  iterations?: number[];
  /**
   * Indices, within the step, of the nodes whose outputs it took, as far as they are known; each
   * once.
   * @default []
   */
  inputNodes?: number[];
}

/** One optimizer step, session run, or call of a compiled function. */
export interface Step {
  /** Position among all steps of the debug session, from 0. */
  index: number;
  /** What made it a step. */
  kind: StepKind;
  /** Whose step it is. */
  framework: Framework;
  /** What ended it, such as `SGD.step`, `Session.run` or the function's name. */
  name: string;
  /** The user's line that ended it, or called the graph. */
  source?: Source;
  /** Wall time from the end of the step before, or of the call. */
  durationNs: number;
  /** Nodes of the phases forward, optimizer and graph. */
  forwardNodes: number;
  /** Nodes of the phase backward. */
  backwardNodes: number;
  /** Devices that its nodes ran on. */
  devices: string[];
  /**
   * The process's rank in a distributed job.
   * @default 0
   */
  rank?: number;
  /**
   * How many alerts it raised.
   * @default 0
   */
  alerts?: number;
  /**
   * The process that ran it.
   * @default 0
   */
  pid?: number;
  /**
   * Index of the step whose recorded nodes this one shares; its own where it was recorded.
   * @default -1
   */
  detail?: number;
  /** What backward was called on, where that is one number that could be read without waiting. */
  loss?: Float;
}

/** Something that the user should know. */
export interface Alert {
  /** What happened. */
  kind: AlertKind;
  /** What, where and what to do next, in one line. */
  message: string;
  /** The step it happened in. */
  step?: number;
  /** The node it happened at. */
  node?: number;
  /** The user's line. */
  source?: Source;
}

/** How a framework is observed in one process. */
export interface Backend {
  /** The framework. */
  name: Framework;
  /** Its version. */
  version: string;
  /** Whether it is observed. */
  active: boolean;
  /**
   * Which observer runs: `python`, or `native`, which does the same in less time.
   * @default "python"
   */
  tier?: string;
  /**
   * Why it is not observed, or what of it isn't.
   * @default ""
   */
  reason?: string;
  /**
   * Why no quicker tier runs.
   * @default ""
   */
  tierReason?: string;
}

/** One debugged process. */
export interface Rank {
  /** Its rank; 0 outside distributed jobs. */
  rank: number;
  /** Its process id. */
  pid: number;
  /** How many steps it has made. */
  steps: number;
  /**
   * The frameworks that it imported.
   * @default []
   */
  backends?: Backend[];
  /**
   * Whether it runs (and perhaps waits for others), the debugger holds it, or it has ended.
   * @default "running"
   */
  state?: RankState;
  /** Index of the last step that it made. */
  step?: number;
  /** Where it stopped; while it runs, the line that made its last step. */
  source?: Source;
  /**
   * Devices that its last step ran on.
   * @default []
   */
  devices?: string[];
  /**
   * Whether it is a rank of a distributed job.
   * @default false
   */
  distributed?: boolean;
}

/** What becomes of the Python processes that the program starts, by what they are. */
export interface Children {
  /**
   * Ranks of a distributed job, as torchrun, `torch.multiprocessing.spawn` and launchers that set
   * RANK start them. `join`: they take part in this session.
   * @default "join"
   */
  ranks?: ChildPolicy;
  /**
   * DataLoader workers. `observe`: they run without the debugger, and nothing stops in them.
   * @default "observe"
   */
  workers?: ChildPolicy;
  /**
   * All others. `session`: the client is asked to open a session of its own for each.
   * @default "session"
   */
  programs?: ChildPolicy;
}

/** What `launch` and `attach` take beyond debugpy's own attributes. */
export interface Configuration {
  /**
   * How much of each step is recorded.
   * @default "nodes"
   */
  capture?: Capture;
  /**
   * Where a breakpoint in a static graph stops: at the call, or inside the running graph.
   * @default "boundary"
   */
  staticGraphs?: StaticGraphs;
  /**
   * Whether a breakpoint on a forward line also stops at the backward nodes it made.
   * @default true
   */
  backward?: boolean;
  /**
   * Node executions of one run that are kept to walk through where it stops.
   * @default 50000
   */
  recordLimit?: number;
  /**
   * Whether NaN, Inf and what keeps a model from learning is looked for.
   * @default true
   */
  nanWatch?: boolean;
  /**
   * Which of the processes that the program starts are debugged, and where.
   * @default {"ranks": "join", "workers": "observe", "programs": "session"}
   */
  children?: Children;
  /**
   * Whether collectives wait for ranks that the debugger holds: `extend` suspends the timeouts of
   * process groups while a client is there, `keep` leaves them as the program set them.
   * @default "extend"
   */
  collectiveTimeout?: CollectiveTimeout;
}

/** `graphdebugStep`: a step was made; at most 10 a second, the last one always delivered. */
export interface GraphdebugStepEvent {
  /** The newest step. */
  step: Step;
}

/** `graphdebugAlert`: something that the user should know. */
export interface GraphdebugAlertEvent {
  /** What and where. */
  alert: Alert;
}

/** `graphdebugDropped`: the program was faster than the link. */
export interface GraphdebugDroppedEvent {
  /** Records dropped since the session began. */
  count: number;
}

/** `graphdebugSteps`: the steps from `begin` up to, not including, `end`. */
export interface GraphdebugStepsArguments {
  /**
   * First index.
   * @default 0
   */
  begin?: number;
  /** One past the last index; all that there are where left out. */
  end?: number;
}

/** Answer to `graphdebugSteps`. */
export interface GraphdebugStepsResponse {
  /** In order of their index. */
  steps: Step[];
  /** How many steps there are. */
  total: number;
}

/** `graphdebugTimeline`: the steps from `begin` up to, not including, `end`, as a few points. */
export interface GraphdebugTimelineArguments {
  /**
   * First index.
   * @default 0
   */
  begin?: number;
  /** One past the last index; all that there are where left out. */
  end?: number;
  /**
   * How many points at most.
   * @default 256
   */
  points?: number;
}

/** Steps that follow each other, drawn as one point. */
export interface TimelinePoint {
  /** Index of the first one. */
  begin: number;
  /** One past the index of the last one. */
  end: number;
  /** Wall time of the shortest one. */
  shortestNs: number;
  /** Wall time of the longest one. */
  longestNs: number;
  /** Their mean wall time. */
  meanNs: number;
  /**
   * How many alerts they raised.
   * @default 0
   */
  alerts?: number;
  /** The last loss that is known of them. */
  loss?: Float;
}

/** Answer to `graphdebugTimeline`. */
export interface GraphdebugTimelineResponse {
  /** In order; all but the last one stand for the same number of steps. */
  points: TimelinePoint[];
  /** How many steps there are. */
  total: number;
}

/** `graphdebugAlerts`: the alerts of the session so far. */
export interface GraphdebugAlertsArguments {
  /**
   * How many to skip.
   * @default 0
   */
  start?: number;
  /** How many to return at most. */
  count?: number;
}

/** Answer to `graphdebugAlerts`. */
export interface GraphdebugAlertsResponse {
  /** In the order in which they came; the newest 10,000 are kept. */
  alerts: Alert[];
  /** How many are kept. */
  total: number;
}

/** `graphdebugNodes`: the nodes of a step that pass every filter given. */
export interface GraphdebugNodesArguments {
  /** Index of the step. */
  step: number;
  /**
   * How many of the passing nodes to skip.
   * @default 0
   */
  start?: number;
  /** How many to return at most. */
  count?: number;
  /** Only nodes of this phase. */
  phase?: Phase;
  /** Only nodes made by this file. */
  path?: string;
  /** Only nodes made by this line. */
  line?: number;
  /** Only nodes whose name or operation contains this, in small or capital letters. */
  text?: string;
  /** Only nodes that ran on this device. */
  device?: string;
}

/** Answer to `graphdebugNodes`. */
export interface GraphdebugNodesResponse {
  /** In order of execution. */
  nodes: Node[];
  /** How many pass the filters. */
  total: number;
}

/** `graphdebugNode`: one node. */
export interface GraphdebugNodeArguments {
  /** Index of the step. */
  step: number;
  /** Index of the node within it. */
  node: number;
}

/** Answer to `graphdebugNode`. */
export interface GraphdebugNodeResponse {
  /** The node. */
  node: Node;
}

/**
 * `graphdebugTensor`: a tensor of a stopped frame, or a recorded one that a node took or made.
 */
export interface GraphdebugTensorArguments {
  /**
   * What to compute; on the tensor's own device, and only that travels.
   * @default "summary"
   */
  mode?: TensorMode;
  /** The frame to evaluate `expression` in. */
  frameId?: number;
  /** An expression whose value is a tensor. */
  expression?: string;
  /** With `node`, and `output` or `input`: a recorded tensor. */
  step?: number;
  /** Index of the node within the step. */
  node?: number;
  /** Index of the output of the node. */
  output?: number;
  /** Index of the input of the node. */
  input?: number;
  /** What stands between the brackets in `tensor[...]`, such as `0, :, 2:4`. */
  slice?: string;
}

/** Statistics over all elements. NaN and Inf are counted and left out of the others. */
export interface TensorSummary {
  /** How many elements there are. */
  elements: number;
  /** Smallest finite element. */
  minimum?: Float;
  /** Largest finite element. */
  maximum?: Float;
  /** Mean of the finite elements. */
  mean?: Float;
  /** Population standard deviation of the finite elements. */
  std?: Float;
  /**
   * How many are NaN.
   * @default 0
   */
  nan?: number;
  /**
   * How many are infinite.
   * @default 0
   */
  inf?: number;
  /**
   * How many are zero.
   * @default 0
   */
  zeros?: number;
}

/** Counts of the finite elements in bins of equal width. */
export interface TensorHistogram {
  /** Bin edges, one more than there are bins. */
  edges: Float[];
  /** Elements in each bin. */
  counts: number[];
}

/** Answer to `graphdebugTensor`. */
export interface GraphdebugTensorResponse {
  /** The description of the tensor, after slicing. */
  tensor: Tensor;
  /** With mode `summary`. */
  summary?: TensorSummary;
  /** With mode `values`: nested numbers; NaN and Inf as the strings "nan", "inf", "-inf". */
  values?: unknown;
  /** With mode `histogram`. */
  histogram?: TensorHistogram;
}

/** The field `graphdebug` of a `stopped` event: the recorded place that it is about. */
export interface StoppedPlace {
  /** Index of the step. */
  step: number;
  /** Index of the node within the step; None at the end of the run. */
  node?: number;
}

/** `graphdebugState` takes nothing. */
export interface GraphdebugStateArguments {
}

/** Answer to `graphdebugState`. */
export interface GraphdebugStateResponse {
  /** How much is recorded. */
  capture: Capture;
  /** The frameworks seen, in any process. */
  backends: Backend[];
  /** The processes seen. */
  ranks: Rank[];
  /** Records dropped since the session began. */
  dropped: number;
}

/** `session`: the first event, and again where the kernel was started anew or has gone. */
export interface KernelSessionEvent {
  /** Another one after each restart; None where the kernel isn't observed. */
  session?: string;
  /** What is recorded. */
  configuration: Configuration;
}

/** `stop`: what the stop is that the debugger tells of next. */
export interface KernelStopEvent {
  /** Where it stops. */
  source: Source;
  /** The step that it belongs to. */
  step?: number;
  /** What it is called, in a few letters. */
  title: string;
  /** What it stops at, in one sentence. */
  text: string;
}

/** A breakpoint in a cell. */
export interface CellBreakpoint {
  /** The file that the kernel compiles the cell as. */
  path: string;
  /** 1-based, in the cell. */
  line: number;
  /**
   * What it is bound to and why, as DAP's message has it; empty in a request.
   * @default ""
   */
  message?: string;
}

/** `breakpoints`: what each of them does, as far as it is known now. */
export interface CellBreakpointsEvent {
  /** All of the kernel's notebook. */
  breakpoints: CellBreakpoint[];
}

/** A code cell. */
export interface Cell {
  /** The file that the kernel compiles it as. */
  path: string;
  /** Its text. */
  source: string;
}

/** `PUT breakpoints`: the answer is that of `breakpoints`. */
export interface CellBreakpointsArguments {
  /** The notebook's code cells, in their order. */
  cells: Cell[];
  /** All breakpoints in them. */
  breakpoints: CellBreakpoint[];
}

/** Custom DAP events and their bodies. */
export interface GraphdebugEvents {
  graphdebugStep: GraphdebugStepEvent;
  graphdebugAlert: GraphdebugAlertEvent;
  graphdebugDropped: GraphdebugDroppedEvent;
}

/** Events of a kernel's websocket beside these. */
export interface KernelEvents {
  session: KernelSessionEvent;
  stop: KernelStopEvent;
  breakpoints: CellBreakpointsEvent;
}

/** Custom DAP requests: arguments and answers. */
export interface GraphdebugRequests {
  graphdebugSteps: { arguments: GraphdebugStepsArguments; response: GraphdebugStepsResponse };
  graphdebugTimeline: { arguments: GraphdebugTimelineArguments; response: GraphdebugTimelineResponse };
  graphdebugAlerts: { arguments: GraphdebugAlertsArguments; response: GraphdebugAlertsResponse };
  graphdebugNodes: { arguments: GraphdebugNodesArguments; response: GraphdebugNodesResponse };
  graphdebugNode: { arguments: GraphdebugNodeArguments; response: GraphdebugNodeResponse };
  graphdebugTensor: { arguments: GraphdebugTensorArguments; response: GraphdebugTensorResponse };
  graphdebugState: { arguments: GraphdebugStateArguments; response: GraphdebugStateResponse };
}
