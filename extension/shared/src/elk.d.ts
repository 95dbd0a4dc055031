declare module "elkjs/lib/elk-worker.min.js" {
  const text: string;
  export default text;
}
