/** Size of the file in the transfer benchmark. It is the default size limit of `files.upload`. */
export const fileBytes = 150 * 1024 * 1024
