//! Options that name material which cannot be imported so.

use super::super::KeyGoal;
use super::wanted_import;
use crate::desired::MaterialSource;
use crate::diag::Code;
use crate::plan::draft::Sheet;

/// Blocks where the command line names material of a key that keywright does not import, or does not import so.
pub(in crate::plan::keys) fn unfit(goal: &KeyGoal<'_>, sheet: &mut Sheet<'_>) {
    let name = &goal.key.name;
    let import = wanted_import(goal.key);
    if goal.input.options.reimport.contains(name) && import.is_none() {
        sheet.block(
            Code::ReimportUnfit,
            format!("keywright imports no material of `{name}`, so there is none to import again"),
            format!("leave out --reimport {name}; or declare an `import` table and material_state = \"imported\""),
        );
    }
    for (_, material) in goal.input.options.prewrapped.iter().filter(|(key, _)| key == name) {
        let mut declared = import.into_iter().flat_map(|import| &import.materials);
        let fits = |source: &MaterialSource| *source == MaterialSource::Prewrapped;
        if !declared.any(|wanted| wanted.name == *material && fits(&wanted.source)) {
            sheet.block(
                Code::ReimportUnfit,
                format!("`{name}` declares no material `{material}` with `prewrapped = true`"),
                format!("leave out --prewrapped {name}/{material}, or declare the material so"),
            );
        }
    }
}
