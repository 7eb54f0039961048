// The path of the shared object for x86-64, embedded by `bun build --compile`.

import path from "./dist/libbpf-linux-x64.so" with { type: "file" };

export const library: string = path;
