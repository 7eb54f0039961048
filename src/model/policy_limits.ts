// How much a policy may hold: the one source of what the CRDs ask for and of what is read.

/** Entries of one toPorts. */
export const MAX_PORTS = 64;
/** spec.backend.addressEndpoint.addresses. */
export const MAX_ADDRESSES = 1000;
/** Labels of a selector's matchLabels, and likewise entries of its matchExpressions. */
export const MAX_REQUIREMENTS = 64;
/** Of one entry of matchExpressions. */
export const MAX_VALUES = 64;

export const PROTOCOLS = ["TCP", "UDP"] as const;
export const REDIRECT_MODES = ["podEndpoint", "hostPort", "nodeProxy"] as const;
/** metav1.LabelSelectorOperator, and what it is here. */
export const OPERATORS = { In: "in", NotIn: "notIn", Exists: "exists", DoesNotExist: "doesNotExist" } as const;
