// The path of the shared object for arm64, embedded by `bun build --compile`.

import path from "./dist/libbpf-linux-arm64.so" with { type: "file" };

export const library: string = path;
