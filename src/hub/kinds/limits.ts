// What a hub may make us hold in memory at once, and take from us at once.

/** Bytes of one object as JSON. etcd takes 1.5 MiB by default; events repeat nothing. */
export const MAX_OBJECT = 16 << 20;
/** A loss of more than half of so many objects or more is doubted. */
export const MANY = 10;
/** Objects of one kind. Kubernetes is tested with 10,000 Services and 150,000 Pods; the kernel's maps hold 65,535 frontends. */
export const MAX_OBJECTS = 200_000;
/** Pages of one list. */
export const MAX_PAGES = 10_000;
