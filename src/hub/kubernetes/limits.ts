// What a hub may make us hold in memory at once.

/** Bytes of one object as JSON. etcd takes 1.5 MiB by default; events repeat nothing. */
export const MAX_OBJECT = 16 << 20;
