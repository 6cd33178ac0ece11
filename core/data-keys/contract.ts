/** `active` seals; `retiring` only opens, until nothing is sealed under it; then `destroyed`. */
export type DataKeyState = "active" | "retiring" | "destroyed";
