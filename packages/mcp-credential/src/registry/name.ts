import { option, type RuleBuilder } from '@countersign/core/gate-kit'

/** The rule of a name that the host chose: no control characters, so that it can stand in a log line. */
export const NAME: RuleBuilder<string> = option.string(
  /^[^\u0000-\u001f\u007f]{1,256}$/,
  'a text of 1 to 256 characters without control characters',
)
