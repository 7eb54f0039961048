// All rows, in the order of the table.

import type { Row } from "./row.ts";
import { SHAPE_ROWS } from "./rows_shape.ts";

export const ROWS: readonly Row[] = [...SHAPE_ROWS];
