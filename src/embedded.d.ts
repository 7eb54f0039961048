// Files that the binary carries: `import path from "x.bpf.o" with { type: "file" }` gives a path that can be read.

declare module "*.bpf.o" {
	const path: string;
	export default path;
}

declare module "*.so" {
	const path: string;
	export default path;
}
