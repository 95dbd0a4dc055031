declare module "elkjs/lib/elk-worker.min.js" {
  const text: unknown;
  export default text;
}
