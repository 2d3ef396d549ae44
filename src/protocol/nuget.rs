//! NuGet (reserved).
