/** Larger than 10,000 nodes with every key; what is larger is not an inventory. */
export const maximumInventoryBytes = 4 * 1024 * 1024;
