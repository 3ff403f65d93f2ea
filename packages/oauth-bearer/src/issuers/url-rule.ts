import { option } from '@countersign/core'
import { isSafeUrl } from '../http/destination.js'

/** An https URL, or http on this machine. */
export const urlRule = () =>
  option.custom<string>('an https URL (http on loopback only), without credentials or fragment', (value) =>
    typeof value === 'string' && URL.canParse(value) && isSafeUrl(new URL(value)) ? value : undefined,
  )
