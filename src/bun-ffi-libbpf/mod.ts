// The package's one entry: everything that it offers.

export { unpin } from "./descriptor.ts";
export {
	BpfError,
	errnoName,
	errnoNumber,
	isBusy,
	isExists,
	isFull,
	isGone,
	isNotFound,
	isNotSupported,
	isPermission,
} from "./errors.ts";
export { type BpfIterator, type IteratorOptions, openIterator } from "./iterator.ts";
export { attachCgroup, type Link, type LinkInfo, openPinnedLink } from "./link.ts";
export { type BpfMap, type Chunk, createMap, type MapSpec, openPinnedMap, type UpdateMode } from "./map.ts";
export type { DeleteResult, UpdateResult } from "./map_batch.ts";
export { type MapInfo, possibleCpus, sumPerCpu } from "./map_info.ts";
export { type BpfObject, type OpenOptions, openObject } from "./object.ts";
export type { ObjectVariable } from "./object_data.ts";
export type { ObjectMap } from "./object_map.ts";
export type { ObjectProgram } from "./object_program.ts";
export {
	type KernelVersion,
	kernelVersion,
	libbpfVersion,
	probeHelper,
	probeMapType,
	probeProgramType,
} from "./probe.ts";
export {
	type AttachedProgram,
	type ProgramInfo,
	programInfo,
	type QueryOptions,
	queryCgroup,
	type RunOptions,
	type RunResult,
	runProgram,
} from "./program.ts";
export { type RingBuffer, type RingBufferOptions, ringBuffer } from "./ring_buffer.ts";
export {
	type InetSocket,
	openSockDiag,
	type SockDiag,
	type SockDiagOptions,
	type SocketFamily,
	type SocketProtocol,
	type SocketQuery,
	type SocketState,
} from "./sock_diag.ts";
export type { Destination } from "./sock_diag_filter.ts";
export {
	type MountOptions,
	mount,
	type NetnsCookieOptions,
	netnsCookie,
	statfsType,
	tryLock,
	type UdpConnectOptions,
	type UmountOptions,
	udpConnect,
	umount,
} from "./system.ts";
export type { AttachType, MapType, ProgramType, Unknown } from "./uapi.ts";
