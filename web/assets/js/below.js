// Addresses of this site, which may be seen below a path.
const root = document.documentElement.dataset.below ?? "";

// at is the address of a path.
export const at = (path) => root + path;

// inside is the path of an address as the server knows it.
export const inside = (path) => (root && path.startsWith(root) ? path.slice(root.length) || "/" : path);
