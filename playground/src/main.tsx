//! Starts the page.

import { render } from 'preact';
import { App } from './app';
import { followHash } from './router';
import { followSystem } from './state/settings';
import './styles/tokens.css';
import './styles/base.css';
import './styles/components.css';

followSystem();
followHash();
const root = document.getElementById('root');
if (root) render(<App />, root);
