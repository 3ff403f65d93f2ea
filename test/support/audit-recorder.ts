export type { RecordedAudit } from '../../packages/testing/src/record-audit.js'
export { recordAudit, recordAudit as recordedAudit } from '../../packages/testing/src/record-audit.js'
