export { recordAudit, recordAudit as recordedAudit } from '../../packages/testing/src/record-audit.js'
