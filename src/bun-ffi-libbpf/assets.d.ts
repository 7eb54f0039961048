// What `import path from "./x.so" with { type: "file" }` gives.
declare module "*.so" {
	const path: string;
	export default path;
}
